"""What the pictures say: names, goods, places and plain lines in both languages, drawn at random.

Names are put together from the parts in words.toml; one entry in five of every list is held out for the evaluation.
"""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import tokenizer

# Without I, l and O: outside a word, most sans faces print them like each other, or like 1 and 0.
LATIN_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[]_{}~"
WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
STARTS = WORDS["starts"].split() + [""] * 10
MIDDLES = WORDS["middles"].split()
ENDS = WORDS["ends"].split() + [""] * 12


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One side of the split of every list."""

    held_out: bool

    def pick(self, rng: random.Random, name: str) -> str:
        entries: Sequence[str] = [w for i, w in enumerate(WORDS[name]) if (i % 5 == 4) == self.held_out]
        return rng.choice(entries)

    def invents(self, rng: random.Random) -> bool:
        """Decide whether to invent a word; never in the evaluation, whose lists are new to the model.

        A model soon knows by heart what it has read hundreds of times, and says that instead of what it sees.
        """
        return not self.held_out and rng.random() < 0.7

    def invented(self, rng: random.Random, chinese: bool, longest: int) -> str:
        """Return characters in random order, or now and then a plain word."""
        if chinese:
            return random_characters(rng, rng.randint(1, longest))
        if rng.random() < 0.25:
            return self.pick(rng, "plain_en").capitalize()
        syllables = [rng.choice(STARTS) + rng.choice(MIDDLES) + rng.choice(ENDS) for _ in range(rng.randint(1, 3))]
        return "".join(syllables)[: rng.randint(max(2, longest - 4), longest)].capitalize()

    def company(self, rng: random.Random, chinese: bool) -> str:
        invents = self.invents(rng)
        if chinese:
            place = self.pick(rng, "places") if rng.random() < 0.7 else ""
            name, trade = short_name(rng), rng.choice(WORDS["trades"])
            if invents:
                place, name = self.invented(rng, True, 2), self.invented(rng, True, 3)
                trade = rng.choice((trade, ""))
            return str(place + name + trade + rng.choice(WORDS["company_forms"]))
        form = " " + rng.choice(WORDS["name_forms"]) if rng.random() < 0.7 else ""
        start, end = self.pick(rng, "name_starts"), rng.choice(WORDS["name_ends"])
        if invents:
            start, end = self.invented(rng, False, 9), rng.choice((end, self.invented(rng, False, 9)))
        return f"{start} {end}{form}"

    def goods(self, rng: random.Random, chinese: bool) -> str:
        invents = self.invents(rng)
        model = f" {rng.choice(WORDS['models'])}{rng.choice(['', ' '])}{rng.randint(1, 99)}"
        model = model if rng.random() < 0.5 else ""
        if chinese:
            maker, thing = short_name(rng), self.pick(rng, "goods_zh")
            if invents:
                maker, thing = rng.choice(("", self.invented(rng, True, 2))), self.invented(rng, True, 4)
            return maker + thing + model
        start, thing = self.pick(rng, "name_starts"), self.pick(rng, "goods")
        if invents:
            start, thing = self.invented(rng, False, 9), rng.choice((thing, self.invented(rng, False, 10)))
        return f"{start} {thing}{model}"

    def point(self, rng: random.Random, chinese: bool) -> str:
        """Return a selling point."""
        a, b, c = rng.randint(1, 9), rng.randint(0, 9), rng.randint(1, 128)
        if not self.invents(rng):
            return self.pick(rng, "points_zh" if chinese else "points").format(a=a, b=b, c=c)
        figure = rng.choice(("", "", str(c), f"{a}.{b}", f"{a}00"))
        if chinese:
            return self.invented(rng, True, 4) + figure + (self.invented(rng, True, 3) if figure else "")
        words = [self.invented(rng, False, 10) for _ in range(rng.randint(1, 2))] + ([figure] if figure else [])
        # A reader on its way from word to word loses one that is a letter long.
        short = (str(a), noise_word(rng, False)[:2], "m", self.pick(rng, "plain_en"))
        words += [rng.choice(short) for _ in range(rng.choice((0, 0, 1, 2)))]
        rng.shuffle(words)
        text = rng.choice((" ".join(words), " ".join(words).lower()))
        return text[0].upper() + text[1:]


def short_name(rng: random.Random) -> str:
    return str(rng.choice(WORDS["name_first"]) + rng.choice(WORDS["name_second"]))


def amount(rng: random.Random) -> str:
    """Return a number as invoices and price tags print it."""
    value = rng.choice((rng.uniform(1, 100), rng.uniform(100, 1000), rng.uniform(1000, 100000)))
    return f"{value:,.2f}" if rng.random() < 0.6 else f"{value:,.0f}"


def random_characters(rng: random.Random, count: int) -> str:
    """Return Chinese characters in no order that the language has, so that guessing cannot replace reading."""
    return "".join(rng.choice(tokenizer.characters()) for _ in range(count))


def noise_word(rng: random.Random, chinese: bool) -> str:
    if chinese:
        return random_characters(rng, rng.randint(1, 6))
    kind = rng.random()
    letters = DIGITS if kind < 0.35 else LATIN_LETTERS + DIGITS + (ASCII_PUNCTUATION if kind >= 0.7 else "")
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, 8)))


def printed_line(rng: random.Random, chinese: bool, lexicon: Lexicon) -> str:
    """Return about a dozen characters of print: a phrase, a name, figures or noise.

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
        return lexicon.pick(rng, "plain_zh")
    phrase = " ".join(lexicon.pick(rng, "plain_en") for _ in range(rng.randint(1, 4)))
    return rng.choice((phrase, phrase.capitalize(), phrase.upper(), phrase.title()))
