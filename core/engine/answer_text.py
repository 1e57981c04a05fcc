"""Hold the text of an answer that grows token by token."""

from collections.abc import Callable, Sequence

from torch import Tensor

from core.answer import Ending
from core.engine.certainty import Certainty
from core.engine.grammar import Grammar
from core.engine.repetition import Repetition
from core.engine.request import Doubt
from core.engine.stop import StopTexts
from core.engine.tokenizer import UNFINISHED_CHARACTER, Decoder, Detokenizer
from core.events import Piece


class AnswerText:
    """Sends pieces of an answer as they become certain, and notices what ends it before the model does.

    That is one of the texts `stop`, a loop, or a `doubt`; with a `grammar`, that nothing may follow.
    """

    def __init__(
        self,
        tokenizer: Decoder,
        send: Callable[[Piece], None],
        stop: Sequence[str],
        doubt: Doubt | None,
        grammar: Grammar | None = None,
    ) -> None:
        self.ids: list[int] = []
        self.certainty = Certainty(doubt)
        self._decode = tokenizer.decode
        self._send = send
        self._grammar = grammar
        self._detokenizer = Detokenizer(tokenizer)
        self._repetition = Repetition(tokenizer.decode)
        self._stop = StopTexts(stop if grammar is None else ())
        self._text = ""
        self._good: int | None = None  # tokens before the answer became a loop

    @property
    def allowed(self) -> Tensor | None:
        """The tokens that may come next, as booleans (vocabulary,), if the answer must obey a schema."""
        return None if self._grammar is None else self._grammar.allowed()

    @property
    def ending(self) -> Ending | None:
        """How the answer ends here, or None if it may go on."""
        if self._stop.found if self._grammar is None else self._grammar.complete:
            return Ending.DONE
        if self._good is not None:
            return Ending.REPEATED
        return Ending.LENGTH if self.certainty.is_hopeless else None

    def add(self, token: int) -> None:
        """Add a token. Raises `BadSchema`."""
        self.ids.append(token)
        if self._grammar is not None:
            self._grammar.add(token)  # a schema may ask for a long list of one thing
        elif self._good is None:
            self._good = self._repetition.add(token)
        self._say(self._stop.add(self._detokenizer.add(token)))

    def finish(self, ending: Ending) -> tuple[str, Ending]:
        """Return the whole text and how it ended, after saying what was held back.

        That may be broken characters, and beginnings of texts that would have stopped the answer.
        """
        self._say(self._stop.add(self._detokenizer.finish()))
        self._say(self._stop.finish())
        if (doubt := self.certainty.doubt) is not None:
            return doubt, Ending.DONE
        if ending is Ending.REPEATED:
            return self._decode(self.ids[: self._good]).rstrip(UNFINISHED_CHARACTER), ending
        return self._text, ending

    def _say(self, text: str) -> None:
        if text:
            self._text += text
            self._send(Piece(text))
