"""What the pictures say: names, goods, places and plain lines in both languages, drawn at random.

Names are put together from parts; a held-out share of every list (see `Lexicon`) is used by the evaluation only.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from training import tokenizer
from training.likeness import like

T = TypeVar("T")

# Without I, l and O: in most sans faces nobody can tell them from each other, or from 1 and 0, outside a word.
LATIN_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[]_{}~"

NAME_STARTS = (
    "Acme", "Alpine", "Amber", "Apex", "Aurora", "Birch", "Blue", "Bright", "Cedar", "Clear", "Copper", "Crown",
    "Delta", "Eagle", "East", "Falcon", "First", "Garden", "Global", "Gold", "Grand", "Green", "Harbor", "Hill",
    "Ivory", "Jade", "Key", "Lake", "Lunar", "Maple", "Meadow", "Metro", "Mill", "Noble", "North", "Nova",
    "Oak", "Ocean", "Orion", "Park", "Pine", "Polar", "Prime", "Quick", "Rapid", "Red", "River", "Royal",
    "Silver", "Sky", "Smart", "Solar", "South", "Star", "Stone", "Summit", "Sunny", "Swift", "Terra", "Union",
    "Urban", "Vega", "Vista", "West", "White", "Willow", "Wind", "Zenith",
)  # fmt: skip
NAME_ENDS = (
    "Foods", "Trading", "Systems", "Media", "Labs", "Motors", "Books", "Energy", "Design", "Supply", "Travel",
    "Textiles", "Paper", "Tools", "Logistics", "Studio", "Pharma", "Office", "Market", "Digital", "Steel",
    "Farms", "Works", "Optics", "Group",
)  # fmt: skip
NAME_FORMS = ("Ltd", "Inc.", "Co.", "LLC", "GmbH")

PLACES = (
    "北京", "上海", "广州", "深圳", "杭州", "南京", "成都", "武汉", "西安", "天津", "重庆", "苏州", "长沙",
    "青岛", "大连", "厦门", "福州", "济南", "昆明", "合肥",
)  # fmt: skip
NAME_FIRST = "华东新大中金天海明光安信宏达远永星云瑞恒盛泰和兴正通力创美佳百万"
NAME_SECOND = "达成源丰利科城宇洋方域联合山川泰安德元康业图晨生和美信"
TRADES = (
    "科技", "贸易", "电子", "食品", "文化", "建筑", "软件", "网络", "服装", "医药", "能源", "物流", "设备", "教育",
    "广告",
)  # fmt: skip
COMPANY_FORMS = ("有限公司", "公司", "集团", "股份有限公司")

GOODS = (
    "Phone", "Laptop", "Tablet", "Camera", "Watch", "Headphones", "Speaker", "Keyboard", "Monitor", "Printer",
    "Router", "Desk Lamp", "Backpack", "Coffee Maker", "Kettle", "Blender", "Bicycle", "Tent", "Jacket",
    "Running Shoes", "Office Chair", "Power Bank", "Vacuum", "Air Fryer", "Toothbrush", "Notebook",
)  # fmt: skip
GOODS_ZH = (
    "手机", "电脑", "平板", "相机", "手表", "耳机", "音箱", "键盘", "显示器", "打印机", "路由器", "台灯",
    "背包", "咖啡机", "水壶", "料理机", "自行车", "外套", "运动鞋", "办公椅", "充电宝", "净水器", "洗衣机",
    "电视",
)  # fmt: skip
MODELS = ("X", "S", "Pro", "Max", "Mini", "Plus", "Air", "Lite", "One", "Go")
POINTS = (
    "{a}.{b} inch screen", "{a}00{b} mAh battery", "{c} W fast charging", "{c} hours of music",
    "Waterproof to {a} m", "Weighs only {c}0 g", "{a} year warranty", "{c} GB memory", "Free shipping",
    "Made of steel", "{a} colors", "Very quiet motor", "Folds flat", "Easy to clean", "Wireless {a}.0",
    "Fits in a pocket", "{c} MP camera", "Recycled fabric", "Soft grip", "Night mode", "Bluetooth {a}.{b}",
    "Noise cancelling", "USB-C port", "Fast delivery",
)  # fmt: skip
POINTS_ZH = (
    "{a}.{b}英寸大屏", "{a}00{b}毫安电池", "{c}瓦快充", "续航{c}小时", "防水{a}米", "重量仅{c}0克", "质保{a}年",
    "{c}GB内存", "全国包邮", "不锈钢机身", "{a}种颜色", "静音电机", "可折叠", "容易清洗", "无线连接",
    "轻便小巧", "{c}00万像素", "环保材料", "手感舒适", "夜间模式", "蓝牙{a}.{b}", "主动降噪", "高清画质",
    "次日送达",
)  # fmt: skip

SERIES = (
    ("Revenue", "收入"), ("Sales", "销售额"), ("Profit", "利润"), ("Orders", "订单数"), ("Visitors", "访客数"),
    ("Users", "用户数"), ("Output", "产量"), ("Cost", "成本"), ("Rainfall", "降雨量"), ("Exports", "出口额"),
)  # fmt: skip
UNITS = (("million", "万元"), ("thousand", "千元"), ("k", "万"), ("units", "台"), ("", ""), ("USD", "元"))
PLAIN_ZH = (
    "今天天气很好", "欢迎光临", "请勿吸烟", "小心地滑", "会议室", "安全出口", "营业时间", "请在此排队",
    "保持安静", "谢谢合作", "新年快乐", "注意安全", "请勿拍照", "停车场", "服务台", "买一送一", "限时优惠",
    "请随手关门", "节约用水", "出入平安", "明天上午开会", "好好学习", "天天向上", "世界和平", "收银台", "电梯",
    "图书馆", "公共汽车", "请按顺序上车", "身体健康",
)  # fmt: skip
PLAIN_EN = (
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "for", "was", "on", "are", "as", "with", "his",
    "they", "at", "be", "this", "have", "from", "or", "one", "had", "by", "word", "but", "not", "what", "all",
    "were", "we", "when", "your", "can", "said", "there", "use", "each", "which", "she", "how", "their", "will",
    "other", "about", "out", "many", "then", "them", "these", "some", "her", "would", "make", "like", "him",
    "into", "time", "has", "look", "two", "more", "write", "go", "see", "number", "no", "way", "could",
    "people", "my", "than", "first", "water", "been", "call", "who", "oil", "its", "now", "find", "long",
    "down", "day", "did", "get", "come", "made", "may", "part", "open", "closed", "sale", "today", "only",
    "welcome", "please", "keep", "quiet", "exit", "door", "push", "pull", "fresh", "bread", "coffee", "street",
    "station", "meeting", "room", "floor", "city", "office", "hello", "world", "price", "table", "garden",
    "music", "school", "morning", "evening", "summer", "winter", "quick", "brown", "fox", "jumps", "over",
    "lazy", "dog", "zero", "box", "judge", "vow", "exact", "size", "jazz", "quiz",
)  # fmt: skip

# Syllables of words that could be English: with doubled letters and clusters, in which a reader loses its place.
# One in six begins with its vowel: while none did, the I of names was read as l.
STARTS = (
    "b br bl c ch cl cr d dr f fl fr g gl gr h j k kn l m n p ph pl pr qu r s sc sh sl sm sn sp st str sw t th tr "
    "tw v w wh wr y z"
).split() + [""] * 10
MIDDLES = "a e i o u a e i o u ai ea ee ie oa oo ou oi il".split()
ENDS = (
    "b ck ct d ff ft g l ll lm lt m mm mp n nd ng nk nn nt p pp pt r rd rk rm rn rp rs rt s ss st t tch th tt tl x y"
).split() + [""] * 12


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One side of the split of every list: every fifth entry is held out for the evaluation."""

    held_out: bool

    def pick(self, rng: random.Random, words: Sequence[T]) -> T:
        entries = [w for i, w in enumerate(words) if (i % 5 == 4) == self.held_out]
        return rng.choice(entries)

    def strange(self, rng: random.Random) -> bool:
        """Whether to take a word that no list has; never in the evaluation, whose lists are strange enough.

        A model soon knows by heart what it has read hundreds of times, and says that instead of what it sees.
        """
        return not self.held_out and rng.random() < 0.7

    def strange_word(self, rng: random.Random, chinese: bool, longest: int) -> str:
        """Characters in no order, or a plain word."""
        if chinese:
            return look_alikes(rng, rng.randint(1, longest))
        if rng.random() < 0.25:
            return self.pick(rng, PLAIN_EN).capitalize()
        syllables = [rng.choice(STARTS) + rng.choice(MIDDLES) + rng.choice(ENDS) for _ in range(rng.randint(1, 3))]
        return "".join(syllables)[: rng.randint(max(2, longest - 4), longest)].capitalize()

    def company(self, rng: random.Random, chinese: bool) -> str:
        strange = self.strange(rng)
        if chinese:
            place = self.pick(rng, PLACES) if rng.random() < 0.7 else ""
            name, trade = rng.choice(NAME_FIRST) + rng.choice(NAME_SECOND), rng.choice(TRADES)
            if strange:
                place, name = self.strange_word(rng, True, 2), self.strange_word(rng, True, 3)
                trade = rng.choice((trade, ""))
            return place + name + trade + rng.choice(COMPANY_FORMS)
        form = " " + rng.choice(NAME_FORMS) if rng.random() < 0.7 else ""
        start, end = self.pick(rng, NAME_STARTS), rng.choice(NAME_ENDS)
        if strange:
            start, end = self.strange_word(rng, False, 9), rng.choice((end, self.strange_word(rng, False, 9)))
        return f"{start} {end}{form}"

    def goods(self, rng: random.Random, chinese: bool) -> str:
        strange = self.strange(rng)
        model = f" {rng.choice(MODELS)}{rng.choice(['', ' '])}{rng.randint(1, 99)}" if rng.random() < 0.5 else ""
        if chinese:
            maker, thing = rng.choice(NAME_FIRST) + rng.choice(NAME_SECOND), self.pick(rng, GOODS_ZH)
            if strange:
                maker, thing = rng.choice(("", self.strange_word(rng, True, 2))), self.strange_word(rng, True, 4)
            return maker + thing + model
        start, thing = self.pick(rng, NAME_STARTS), self.pick(rng, GOODS)
        if strange:
            start, thing = self.strange_word(rng, False, 9), rng.choice((thing, self.strange_word(rng, False, 10)))
        return f"{start} {thing}{model}"

    def point(self, rng: random.Random, chinese: bool) -> str:
        a, b, c = rng.randint(1, 9), rng.randint(0, 9), rng.randint(1, 128)
        if not self.strange(rng):
            return self.pick(rng, POINTS_ZH if chinese else POINTS).format(a=a, b=b, c=c)
        figure = rng.choice(("", "", str(c), f"{a}.{b}", f"{a}00"))
        if chinese:
            return self.strange_word(rng, True, 4) + figure + (self.strange_word(rng, True, 3) if figure else "")
        words = [self.strange_word(rng, False, 10) for _ in range(rng.randint(1, 2))] + ([figure] if figure else [])
        # A reader on its way from word to word loses one that is a letter long.
        short = (str(a), noise_word(rng, False)[:2], "m", self.pick(rng, PLAIN_EN))
        words += [rng.choice(short) for _ in range(rng.choice((0, 0, 1, 2)))]
        rng.shuffle(words)
        text = rng.choice((" ".join(words), " ".join(words).lower()))
        return text[0].upper() + text[1:]


def amount(rng: random.Random) -> str:
    """A number as invoices and price tags print it."""
    value = rng.choice((rng.uniform(1, 100), rng.uniform(100, 1000), rng.uniform(1000, 100000)))
    cents = rng.random() < 0.6
    return f"{value:,.2f}" if cents else f"{value:,.0f}"


def noise_word(rng: random.Random, chinese: bool) -> str:
    """Characters in no order that a language has, so that reading cannot be replaced by guessing."""
    if chinese:
        letters = tokenizer.characters()
        return "".join(rng.choice(letters) for _ in range(rng.randint(1, 6)))
    kind = rng.random()
    if kind < 0.35:
        return "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 8)))
    letters = LATIN_LETTERS + DIGITS if kind < 0.7 else LATIN_LETTERS + DIGITS + ASCII_PUNCTUATION
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, 8)))


def look_alikes(rng: random.Random, count: int) -> str:
    """Chinese characters in no order, every other one much like the one before it (间 and 同, 钢 and 铜, 津 and 律)."""
    found = [rng.choice(tokenizer.characters())]
    while len(found) < count:
        found.append(rng.choice(like(found[-1]) if rng.random() < 0.5 else tokenizer.characters()))
    return "".join(found)


def printed_line(rng: random.Random, chinese: bool, lexicon: Lexicon) -> str:
    """One line of print of a dozen characters or so: a phrase, a name, figures or noise.

    Most characters stand in one or two of the lists' entries, or in none: only noise makes all of them known.
    """
    if rng.random() < (0.12 if lexicon.held_out else 0.5):
        return noise_word(rng, chinese)
    kind = rng.random()
    if kind < 0.35:
        return lexicon.company(rng, chinese)
    if kind < 0.48:
        return lexicon.goods(rng, chinese)
    if kind < 0.6:
        return lexicon.point(rng, chinese)
    if kind < 0.72:
        return rng.choice("$€£¥") + amount(rng)
    if kind < 0.8:
        return f"{rng.randint(1990, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    if chinese:
        return lexicon.pick(rng, PLAIN_ZH)
    phrase = " ".join(lexicon.pick(rng, PLAIN_EN) for _ in range(rng.randint(1, 4)))
    return rng.choice((phrase, phrase.capitalize(), phrase.upper(), phrase.title()))
