"""Define a command that people can give by a word: how it is spelled, and what may follow it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from bots.conversing.command_result import CommandResult
from bots.conversing.conversation_settings import is_setting
from bots.conversing.platform import Platform
from bots.conversing.request import EVERYTHING, AnswerRequest
from bots.conversing.services import Services
from core.i18n import Translator
from core.note import Note
from core.picture_names import without_pictures
from core.regions import named_region

Run = Callable[[AnswerRequest, Services, Translator], Awaitable[CommandResult]]


class Takes(Enum):
    """What may follow a command that is a plain word. Followed by anything else, it is a question."""

    NOTHING = auto()
    NUMBER = auto()
    PERSON = auto()
    EVERYTHING = auto()  # a second word that says so
    SETTING = auto()  # its name and a value
    REGION = auto()  # in a picture, and perhaps a question about it
    WORDS = auto()  # any; only behind a prefix, because plain words with more words are a question already

    def fits(self, words: str, platform: Platform) -> bool:
        match self:
            case Takes.NUMBER:
                return words.isdecimal()
            case Takes.PERSON:
                mention = words.startswith("@") and " " not in words
                return mention or platform.person_id.fullmatch(words.upper()) is not None
            case Takes.EVERYTHING:
                return words in EVERYTHING
            case Takes.SETTING:
                return is_setting(words)
            case Takes.REGION:
                return named_region(without_pictures(words)) is not None
            case Takes.NOTHING | Takes.WORDS:
                return False

    def example(self, platform: Platform, translator: Translator) -> str:
        match self:
            case Takes.NUMBER:
                return "2"
            case Takes.PERSON:
                return platform.person
            case Takes.WORDS:
                return translator.say("the total")
            case Takes.REGION:
                return translator.say("top right")
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    `name` is English and stored, `also` are other plain words for it, `menu` describes it in menus and help. Without
    `run` the model answers it, in `bots.conversing.answering`. `about_conversation` marks a command that means nothing
    in a message that begins one. `needs_files` marks a command for platforms that can show files. A command with a
    `question` stands for it: the question takes the message's place when it is read. `words` fill it where people write
    none. `example` is what may follow it, for the help.
    """

    name: str
    chinese: str
    menu: Note
    run: Run | None
    takes: Takes = Takes.NOTHING
    also: tuple[str, ...] = ()
    for_admins: bool = False
    about_conversation: bool = False
    needs_files: bool = False
    question: Note | None = None
    words: Note | None = None
    example: Note | None = None

    @property
    def keeps_files(self) -> bool:
        """Whether pictures that come with it wait for a question, as they do without any words."""
        return not self.for_admins and self.name != "forget"

    def spelled(self, platform: Platform, translator: Translator) -> str:
        """Return it as people write it on this platform, with an example of what must follow."""
        word = self.chinese if translator.language == "zh" and not platform.prefix else self.name
        return f"{platform.prefix}{word} {self.takes.example(platform, translator)}".rstrip()

    def explained(self, platform: Platform, translator: Translator) -> str:
        """Return its line in the help, with an example of what may follow it."""
        line = f"{self.spelled(platform, translator)} – {translator.explain(self.menu)}"
        if self.example is None:
            return line
        written = f"{self.spelled(platform, translator)} {translator.explain(self.example)}"
        return translator.say("{line}, for example: {written}", line=line, written=written)

    def described(self, platform: Platform, translator: Translator) -> str:
        """Return its description in a menu, with an example if something must follow."""
        text = translator.explain(self.menu)
        return f"{text} – {self.spelled(platform, translator)}" if self.takes.example(platform, translator) else text

    def asked(self, words: str, translator: Translator) -> str | None:
        """Return the question that it stands for with the words behind it, or None if it stands for none.

        It stands for none, too, if it needs words and there are none. Where words say more than the question has room
        for, they are the question.
        """
        if self.question is None:
            return None
        if "{words}" not in self.question.sentence:
            return f"{self.name} {words}" if words else translator.explain(self.question)
        words = words or (translator.explain(self.words) if self.words else "")
        return translator.say(self.question.sentence, words=words) if words else None
