"""Render Markdown as safe HTML: no raw HTML but tables, no foreign pictures, and links only to the web and to mail.

Formulas become elements with their TeX, see `formulas.py`.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import nh3
import pygments
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from bots.web.formulas import Formulas
from core.answers.markdown import protected

TABLE_TAGS = set("table caption thead tbody tfoot tr th td br b strong i em sub sup".split())
TABLE_FRAME = '<div class="table" tabindex="0" role="group">'  # wide tables scroll on their own, by keyboard too
SPANS = {str(cells) for cells in range(1, 101)}  # that one cell may take; a browser would lay out a million of them
# Whose code gets colours.
LANGUAGES = set("bash c cpp css diff go html ini java javascript json python rust sh sql toml ts xml yaml".split())
MOST_COLOURED = 4_000  # characters of one piece of code: some of Pygments' rules take quadratic time
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TABLE = re.compile(r" {0,3}<table[\s>]", re.IGNORECASE)
_TABLE_EDGE = re.compile(r"<(/?)table[\s>]", re.IGNORECASE)
# A parser opens each differing tag again in each paragraph of a cell, so that a short text becomes a huge one.
_OTHER_TAG = re.compile(rf"<(?=[A-Za-z/!?])(?!/?(?:{'|'.join(TABLE_TAGS)})\b)[^<>]*>?", re.IGNORECASE)
_WORDS_TAG = re.compile(r"<(/?(?:br|b|strong|i|em|sub|sup))\b[^<>]*>", re.IGNORECASE)
_ALLOWED_LINK = re.compile(r"^(https?://|mailto:)", re.IGNORECASE)


def render(text: str, growing: bool = False) -> str:
    """Return what the model wrote as HTML. Nothing in it can run, load or leave the page by itself.

    While it grows it is rendered again and again, so its code has no colours yet.
    """
    formulas = Formulas(text)
    markdown = _plain if growing else _coloured
    return "".join(
        formulas.draw(_table(part)) if is_table else _prose(markdown, part, formulas)
        for part, is_table in _parts(formulas.text)
    )


def fold(summary: str, text: str, growing: bool = False) -> str:
    """Return a text that is folded below its summary."""
    if not text:
        return ""
    return f'<details class="thoughts"><summary>{escape(summary)}</summary>{render(text, growing)}</details>\n'


def _prose(markdown: MarkdownIt, text: str, formulas: Formulas) -> str:
    return formulas.restore(str(markdown.render(protected(text), {"formulas": formulas})))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield a text in its order as Markdown and as HTML tables, which begin a line and are in no code.

    A table that does not end is one to the end: the answer may still grow.
    """
    begun, place, fence, depth = 0, 0, "", 0
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = ""
        elif depth or _TABLE.match(line):
            if not depth:
                yield text[begun:place], False
                begun = place
            depth += sum(-1 if edge[1] else 1 for edge in _TABLE_EDGE.finditer(line))
            if depth <= 0:
                yield text[begun : place + len(line)], True
                begun, depth = place + len(line), 0
        elif mark:
            fence = mark[1]
        place += len(line)
    yield text[begun:], depth > 0


def _table(html: str) -> str:
    """Return an HTML table of which only the cells and their words are left."""
    clean = nh3.clean(
        _WORDS_TAG.sub(r"<\1>", _OTHER_TAG.sub("", html)),
        tags=TABLE_TAGS,
        attributes={"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        attribute_filter=lambda tag, name, value: value if value in SPANS else None,
        link_rel=None,
    )
    return f"{TABLE_FRAME}{clean.strip()}</div>\n"


def _colour(code: str, language: str, attributes: str) -> str:
    """Return code as HTML with a class for each kind of word, "" where it stays as it is."""
    if language.lower() not in LANGUAGES or len(code) > MOST_COLOURED:
        return ""
    return pygments.highlight(code, get_lexer_by_name(language, stripnl=False, ensurenl=False), _formatter)


class _Renderer(RendererHTML):
    def text(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        formulas: Formulas = env["formulas"]
        return formulas.draw(super().text(tokens, index, options, env))

    def link_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        tokens[index].attrSet("rel", "noopener noreferrer nofollow")
        tokens[index].attrSet("target", "_blank")
        return str(self.renderToken(tokens, index, options, env))

    def table_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return f"{TABLE_FRAME}<table>\n"

    def table_close(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _cell("th", tokens[index])

    def td_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _cell("td", tokens[index])


def _cell(tag: str, token: Token) -> str:
    """Return the alignment as a class, because the page's content security policy allows no style attributes."""
    style = str(token.attrGet("style") or "")
    side = style.removeprefix("text-align:")
    return f'<{tag} class="{side}">' if side in ("left", "center", "right") else f"<{tag}>"


_formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def _parser(**options: Any) -> MarkdownIt:
    made = MarkdownIt(
        "js-default", {"html": False, "linkify": False, "breaks": True, **options}, renderer_cls=_Renderer
    )
    made.disable("image")
    made.validateLink = lambda url: bool(_ALLOWED_LINK.match(url.strip()))  # type: ignore[method-assign]
    return made


_plain, _coloured = _parser(), _parser(highlight=_colour)
