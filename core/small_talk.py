"""Tell thanks, laughter and emoji from questions: a "thanks!" should not make the model read the picture again."""

import re
import unicodedata
from itertools import groupby

_THANKS = "thanks thank thankyou thanx thanku thx thnx tnx tks ty tysm tyvm cheers appreciated appreciate".split()
_LAUGHTER = re.compile(r"a?(?:ha)+h?|(?:he){2,}h?|heh|(?:hi){2,}|(?:ho){2,}|(?:lo)+l|lmf?ao|rofl|xd")  # squeezed
_FILLERS = (  # words that may accompany them without making a question
    "you u ya so very much a lot lots ton tons bunch million many again all everybody everyone guys bot mate man bro "
    "buddy pal sir my friend dear indeed really for that this it the your is s was time help helps helped helpful "
    "helping useful works worked now answer answers explanation reading info quick i "
    "and oh ah ok okay great good nice cool perfect awesome super wow yes no well done got"
).split()
_CHINESE = re.compile(
    "(?:[谢謝哈呵嘻嘿你您啦了啊呀哦噢喽咯哟呢嘛我们們真太很的好棒赞讚嗯亲懂]|感谢|感謝|多谢|多謝|辛苦|笑死|大家|各位"
    "|有帮助|有幫助|有用|非常|十分|万分|萬分|帮助|幫助|帮忙|幫忙"
    "|回答|解答|明白|知道|收到|不用|机器人|機器人|老师|老師)+"
)
_CHINESE_CORE = re.compile("[谢謝哈]|辛苦|笑死|呵呵|嘻嘻|嘿嘿")
_EMOTICON = re.compile(r"(?<!\w)(?:[:;=]['’]?-?[)(DPp3*oO]+|<3+|\^_*\^)(?!\w)")
_WORDS = re.compile(r"[a-z]+|[^\W\d_a-z]+")
_QUESTION_MARKS = re.compile("[?？❓❔⁉⁇⁈]")
_FIRST_EMOJI = "\u203c"  # earlier symbols in Unicode are signs such as ©


def is_small_talk(text: str) -> bool:
    """Return whether a whole message is only thanks, laughter or emoji, in English or Chinese."""
    if _QUESTION_MARKS.search(text):
        return False
    text = unicodedata.normalize("NFKC", _EMOTICON.sub("🙂", text)).casefold()
    if any(character.isnumeric() for character in text):
        return False
    words = _WORDS.findall(text)
    if not words:
        return any(map(_is_emoji, text))
    english = [word for word in words if word.isascii()]
    chinese = "".join(word for word in words if not word.isascii())
    if chinese and not _CHINESE.fullmatch(chinese):
        return False
    core = [word for word in english if _is_core(word)]
    if not {_squeezed(word) for word in english if word not in core} <= _SQUEEZED_FILLERS:
        return False
    return bool(core or _CHINESE_CORE.search(chinese))


def _is_core(word: str) -> bool:
    """Return whether an English word thanks or laughs."""
    squeezed = _squeezed(word)
    return squeezed in _SQUEEZED_THANKS or bool(_LAUGHTER.fullmatch(squeezed) or re.fullmatch("h{2,}", word))


def _squeezed(word: str) -> str:
    """Return the word with repeated letters written once: "thaaanks" becomes "thanks"."""
    return "".join(letter for letter, _ in groupby(word))


def _is_emoji(character: str) -> bool:
    return unicodedata.category(character) == "So" and character >= _FIRST_EMOJI


_SQUEEZED_THANKS = frozenset(map(_squeezed, _THANKS))
_SQUEEZED_FILLERS = frozenset(map(_squeezed, _FILLERS))
