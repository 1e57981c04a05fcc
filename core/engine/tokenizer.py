"""Turn text into token ids and back. What a person typed never becomes a special token."""

from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer as Encoder

UNFINISHED_CHARACTER = "\ufffd"  # how a decoder shows the first bytes of a character


class Tokenizer:
    """The tokenizer of a model's folder. `encoder` is what its file says, if that was read already."""

    def __init__(self, folder: Path, encoder: Encoder | None = None) -> None:
        self._encoder = encoder or Encoder.from_file(str(folder / "tokenizer.json"))
        self._encoder.encode_special_tokens = True  # "<|im_end|>" in a question is only text

    @property
    def json(self) -> str:
        """What tokenizer.json says."""
        return str(self._encoder.to_str())

    def special(self, name: str) -> int:
        """Return the id of a special token such as `<|im_end|>`."""
        token = self._encoder.token_to_id(name)
        if token is None:
            raise ValueError(f"the tokenizer has no {name}")
        return int(token)

    def encode(self, text: str) -> list[int]:
        return list(self._encoder.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        return str(self._encoder.decode(ids, skip_special_tokens=True))


class Decoder(Protocol):
    """What makes text of tokens."""

    def decode(self, ids: list[int]) -> str: ...


class Detokenizer:
    """Turns tokens into the text of a growing answer, never half a character."""

    def __init__(self, tokenizer: Decoder) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0  # tokens before it are no longer needed as context
        self._shown = 0  # tokens whose text was returned

    def add(self, token: int) -> str:
        """Return the text that became certain with `token`, or "" in the middle of a character."""
        self._ids.append(token)
        # No character has more tokens: these are broken bytes.
        return self._advance(final=len(self._ids) - self._shown > 8)

    def finish(self) -> str:
        """Return the rest, with broken bytes as U+FFFD."""
        return self._advance(final=True)

    def _advance(self, final: bool) -> str:
        shown = self._tokenizer.decode(self._ids[self._start : self._shown])
        text = self._tokenizer.decode(self._ids[self._start :])
        if len(text) <= len(shown) or (text.endswith(UNFINISHED_CHARACTER) and not final):
            return ""
        self._start, self._shown = self._shown, len(self._ids)
        return text[len(shown) :]
