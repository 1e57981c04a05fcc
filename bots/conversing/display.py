"""Tell an answer as people see it, with drawn boxes and the line below it. The same on every platform."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bots.conversing.events import Ask, File, Tell
from core import thoughts
from core.answer import Answer
from core.answers.boxes import MarkedPicture, find_boxes, mark, visible
from core.answers.receipt import made_room, receipt
from core.answers.transcription import as_markdown
from core.conversation import Conversation, Turn
from core.errors import BotError
from core.events import BeganAgain, ConversationLoaded, Event, PicturesRemoved, Piece, Thought
from core.i18n import Translator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What an adapter and its operator want to show."""

    files: bool = False
    receipt: bool = True
    markdown: bool = True  # otherwise the platform formats the answer itself


class Display:
    """One answer as people see it: without the JSON of boxes, in Markdown.

    `notes` are sentences about what was left out, and `introduction` is said below the first answer of a conversation.
    """

    def __init__(
        self,
        options: DisplayOptions,
        translator: Translator,
        tell: Tell,
        notes: Sequence[str] = (),
        introduction: str = "",
    ) -> None:
        self._options = options
        self._translator = translator
        self._tell = tell
        self._notes = list(notes)
        self._introduction = introduction
        self._asked = Conversation("")  # up to this question
        self._clear()

    def _clear(self) -> None:
        self._raw = ""  # what the model wrote
        self._told = ""  # what people were told of it
        self._thought = ""  # what they were told of its thoughts
        self._void = ""  # a thought that they were told as an answer

    async def ask(self, ask: Ask, turn_of: Callable[[], Awaitable[Turn | None]]) -> Answer:
        """Tell an answer's events, and return it. Grounding is drawn on its picture if files can be shown.

        `turn_of` returns the finished turn.
        """
        try:
            answer = await ask(self.hear)
            if not self._options.markdown:
                return answer
            turn = await turn_of()
            if turn is not None and self._options.files and find_boxes(answer.text).boxes:
                await self._draw_boxes(turn)
        except Exception:  # what was held back is shown, and an open code block is closed, before a sentence follows
            if words := self._new_words(growing=False):
                self._tell(Piece(words))
            raise
        return replace(answer, text=self._finished(answer, turn))

    def hear(self, event: Event | File) -> None:
        """Tell what people see of an event."""
        match event:
            case ConversationLoaded(conversation):
                self._asked = conversation
                self._tell(event)
            case Piece(text):
                self._raw += text
                if not self._void and (void := thoughts.told_as_answer(self._raw)):
                    self._void = void
                    self._told = ""
                    self._tell(BeganAgain(void))
                if not self._options.markdown and (more := self._new_thoughts()):  # chats cannot fold them
                    self._tell(Thought(more))
                if words := self._new_words(growing=True):
                    self._tell(Piece(words))
            case BeganAgain():
                self._clear()
                self._tell(event)
            case PicturesRemoved(numbers) if self._options.markdown:
                self._notes.append(made_room(numbers, self._translator))
            case _:
                self._tell(event)

    def _new_thoughts(self) -> str:
        before, self._thought = self._thought, thoughts.so_far(self._raw)
        return self._thought[len(before) :]

    def _new_words(self, growing: bool) -> str:
        now = visible(self._raw)
        if self._options.markdown:
            now = as_markdown(now, self._asked.questions, growing)
        if not now.startswith(self._told):
            return ""
        before, self._told = self._told, now
        return now[len(before) :]

    async def _draw_boxes(self, turn: Turn) -> None:
        for marked in await self._marked(turn):
            caption = self._translator.say("Picture {number}", number=marked.number)
            self._tell(File(f"picture-{marked.number}.png", marked.png, caption))

    async def _marked(self, turn: Turn) -> Sequence[MarkedPicture]:
        try:
            return await mark(self._asked.whole(turn), self._asked)
        except BotError as error:  # the answer is saved, and good without boxes
            log.warning("boxes could not be drawn: %s", error)
            return ()

    def _finished(self, answer: Answer, turn: Turn | None) -> str:
        """Return the words of a finished answer, with the line below it."""
        grounding, asked = find_boxes(answer.text), self._asked
        words = as_markdown(grounding.text, asked.questions) or grounding.words(self._translator)
        if self._introduction and len(asked.turns) == 1:
            self._notes.append(self._introduction)
        shows = self._options.receipt and asked.settings.receipt
        line = receipt(turn, self._translator, self._notes) if shows and turn is not None else " · ".join(self._notes)
        if not line or not words.strip():
            return words
        return f"{words}\n\n{line}" if "*" in line else f"{words}\n\n*{line}*"  # a file's name may have an asterisk
