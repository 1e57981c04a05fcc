"""Render Markdown as safe HTML: no raw HTML, no foreign pictures, and links only to the web and to mail."""

import re

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from core.answers.markdown import protected

_ALLOWED_LINK = re.compile(r"^(https?://|mailto:)", re.IGNORECASE)


def render(text: str) -> str:
    """Return what the model wrote as HTML. Nothing in it can run, load or leave the page by itself."""
    return str(_markdown.render(protected(text)))


class _Renderer(RendererHTML):
    def link_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        tokens[index].attrSet("rel", "noopener noreferrer nofollow")
        tokens[index].attrSet("target", "_blank")
        return str(self.renderToken(tokens, index, options, env))

    def table_open(self, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return (
            '<div class="table" tabindex="0" role="group"><table>\n'  # wide tables scroll on their own, by keyboard too
        )

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


_markdown = MarkdownIt("js-default", {"html": False, "linkify": False, "breaks": True}, renderer_cls=_Renderer)
_markdown.disable("image")
_markdown.validateLink = lambda url: bool(_ALLOWED_LINK.match(url.strip()))  # type: ignore[method-assign]
