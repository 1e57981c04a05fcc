r"""Find TeX in what a model wrote: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` on lines of their own.

Markdown would take TeX's underscores and backslashes for its own. So each formula is taken out of the text, and a mark
stands for it. In the HTML an element with its source takes the mark's place. `static/math.js` draws it there.
"""

import re
from collections.abc import Iterator
from html import escape

from core.answers.markdown import parts_by_code

MOST_FORMULAS = 500  # of one text; what comes after them stays text
MOST_CHARACTERS = 2_000  # of one formula
LONG_CHARACTERS = 60  # from which on a formula in a line scrolls on its own: MathML has no line breaks

_BEGIN, _END = "\ue000", "\ue001"  # of a mark; letters in it, because Markdown reads marks around words differently
_MARK = re.compile(f"{_BEGIN}formula([0-9]{{1,3}}){_END}")
# No alternative can take what ends the formula, so that a search takes linear time.
_FORMULA = re.compile(
    r"""
    (?P<link> \]\([^()\s]*\) | https?://[!-~]+ )
    | \$\$ (?: [^$\\\n] | \n(?![ \t]*\n) | \\. )++ \$\$
    | (?<!\\) \\\[ (?: [^\\\n]  | \n(?![ \t]*\n) | \\[^()\[\]] )++ \\\]
    | (?<!\\) \\\( (?: [^\\\n]  | \n(?![ \t]*\n) | \\[^()\[\]] )++ \\\)
    | (?<![A-Za-z0-9$\\/]) \$ (?P<inner> (?![\s$]) (?: [^$\\\n] | \\. )++ (?<!\s) ) \$ (?![A-Za-z0-9$])
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGN = re.compile(r"[\\^_={}]")
# "$5 and 10$" are prices.
_PROSE = re.compile(r"\s[A-Za-z]{2}|(?<![A-Za-z])[A-Za-z]{2,}\s|[\u3000-\u9fff\uff00-\uffef]")


class Formulas:
    """The formulas of one text. `text` has a mark for each of them."""

    def __init__(self, text: str) -> None:
        self._sources: list[str] = []
        self.text = "".join(self._without_formulas(text.replace(_BEGIN, "")))  # a model must not write marks

    def draw(self, html: str) -> str:
        """Return HTML with an element in the place of each mark."""
        return _MARK.sub(lambda mark: _element(self._source(mark)), html)

    def restore(self, html: str) -> str:
        """Return HTML with the source in the place of each mark, for places that hold no elements."""
        return _MARK.sub(lambda mark: escape(self._source(mark)), html)

    def _source(self, mark: re.Match[str]) -> str:
        """Return what a mark stands for: "" for one that a model wrote as character references."""
        number = int(mark[1])
        return self._sources[number] if number < len(self._sources) else ""

    def _without_formulas(self, text: str) -> Iterator[str]:
        if not _FORMULA.search(text):
            yield text
            return
        for part, is_code in parts_by_code(text):
            yield part if is_code else _FORMULA.sub(self._take, part)

    def _take(self, found: re.Match[str]) -> str:
        source, inner = found[0], found["inner"]
        if found["link"] or len(source) > MOST_CHARACTERS or len(self._sources) == MOST_FORMULAS:
            return source
        if inner is not None and not _SIGN.search(inner) and _PROSE.search(inner):
            return source
        self._sources.append(source)
        return f"{_BEGIN}formula{len(self._sources) - 1}{_END}"


def _element(source: str) -> str:
    if not source:
        return ""
    if source.startswith(("$$", r"\[")):
        look = "math display"
    else:
        look = "math long" if len(source) > LONG_CHARACTERS else "math"
    scrolls = "" if look == "math" else ' tabindex="0" role="group"'  # by keyboard too
    return f'<span class="{look}"{scrolls}>{escape(source)}</span>'
