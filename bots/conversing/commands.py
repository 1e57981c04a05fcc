"""Define the commands that people can give by a word, such as /new, in one table for menus, help and parsing.

A new command is a row of `COMMANDS` with its function, and its sentences in `core/locale`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from bots.conversing.actions import file_of
from bots.conversing.administration import decide, people, stats
from bots.conversing.draft import AnswerAction, File, Tell
from bots.conversing.permissions import Decision
from bots.conversing.platform import Platform
from bots.conversing.request import EVERYTHING, AnswerRequest, CommandResult
from bots.conversing.services import Services
from core.answers.transcript import archive
from core.conversation import Answer, Conversation, Ending
from core.errors import NotAllowed, NotFound
from core.i18n import Translator
from core.note import Note
from core.pictures.contact_sheet import contact_sheet

ADMINS_ONLY = "Only this bot's admins may do that."
PICTURE_NUMBER_DIGITS = 6  # databases refuse larger numbers in their own ways


Run = Callable[[AnswerRequest, Services, Translator], Awaitable[CommandResult]]


class Takes(Enum):
    """What may follow a command that is a plain word. Followed by anything else, it is a question."""

    NOTHING = auto()
    NUMBER = auto()
    PERSON = auto()
    EVERYTHING = auto()  # a second word that says so

    def fits(self, words: str, platform: Platform) -> bool:
        match self:
            case Takes.NUMBER:
                return words.isdecimal()
            case Takes.PERSON:
                mention = words.startswith("@") and " " not in words
                return mention or platform.person_id.fullmatch(words.upper()) is not None
            case Takes.EVERYTHING:
                return words in EVERYTHING
            case Takes.NOTHING:
                return False

    def example(self, platform: Platform) -> str:
        return {Takes.NUMBER: "2", Takes.PERSON: platform.person}.get(self, "")


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    `name` is English and stored, `also` are other plain words for it, `menu` describes it in menus and help. Without
    `run` the model answers it, in `bots.conversing.answering`. `about_conversation` marks a command that means nothing
    in a message that begins one. `needs_files` marks a command for platforms that can show files.
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

    @property
    def keeps_files(self) -> bool:
        """Whether pictures that come with it wait for a question, as they do without any words."""
        return not self.for_admins and self.name != "forget"

    def spelled(self, platform: Platform, translator: Translator) -> str:
        """Return it as people write it on this platform, with an example of what must follow."""
        word = self.chinese if translator.language == "zh" and not platform.prefix else self.name
        return f"{platform.prefix}{word} {self.takes.example(platform)}".rstrip()

    def described(self, platform: Platform, translator: Translator) -> str:
        """Return its description in a menu, with an example if something must follow."""
        text = translator.explain(self.menu)
        return f"{text} – {self.spelled(platform, translator)}" if self.takes.example(platform) else text


def allowed(*, admin: bool, files: bool = True) -> list[Command]:
    """Return the commands that an admin or another person may give, with or without files."""
    rows = COMMANDS.values()
    return [row for row in rows if (admin or not row.for_admins) and (files or not row.needs_files)]


def command_in(text: str, platform: Platform) -> tuple[str | None, str]:
    """Return the command that a whole message of plain words is, and what follows it; else None and the text."""
    word, _, rest = text.lower().rstrip(" .!。！").partition(" ")
    rest = rest.strip()
    for command in COMMANDS.values():
        if word in (command.name, command.chinese, *command.also):
            return (command.name, rest) if not rest or command.takes.fits(rest, platform) else (None, text)
    return None, text


def asks_model(command: str | None) -> bool:
    """Return whether the model answers it, if there are words for it."""
    if command in COMMANDS:
        return COMMANDS[command].run is None
    return command is None or command == AnswerAction.SMALL_PRINT


def fixed_answer(sentence: str) -> Answer:
    return Answer(sentence, Ending.DONE)


async def obey(request: AnswerRequest, services: Services, translator: Translator, tell: Tell) -> Answer:
    """Run a command. An unknown command gets the help. Raises `NotFound` and `NotAllowed`."""
    reply = await _carry_out(request, services, translator)
    for file in reply.files:
        tell(file)
    return fixed_answer(reply.text)


async def _carry_out(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    if request.command in (AnswerAction.CSV, AnswerAction.TEXT) and request.display.files:
        return await _file(request, services)
    command = COMMANDS.get(request.command or "")
    if command is None or command.run is None or (command.needs_files and not request.display.files):
        return await _help(request, services, translator)
    if command.for_admins and request.user not in request.admins:
        raise NotAllowed(ADMINS_ONLY)
    return await command.run(request, services, translator)


async def _help(request: AnswerRequest, _: Services, translator: Translator) -> CommandResult:
    """Return all commands that this person may give."""
    lines = [
        f"{command.spelled(request.platform, translator)} – {translator.explain(command.menu)}"
        for command in allowed(admin=request.user in request.admins, files=request.display.files)
    ]
    return CommandResult("\n".join([translator.explain(request.platform.introduction), "", *lines]))


async def _new(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    await services.assistant.restart(request.conversation_id)
    return CommandResult(translator.say("This is a new conversation. Send a picture and ask about it."))


async def _forget(request: AnswerRequest, _: Services, translator: Translator) -> CommandResult:
    if request.forgets:  # the dispatcher has done it already, before everything that waits
        return CommandResult(translator.say("Forgotten: this conversation and its pictures are deleted."))
    return CommandResult(
        translator.say(
            "Others take part in this conversation. If you want to delete it for everybody, with all its pictures, "
            "tell me “{command}”.",
            command=f"{request.platform.prefix}forget all",
        )
    )


async def _stop(request: AnswerRequest, _: Services, translator: Translator) -> CommandResult:
    """Answer that nothing is being written. A running answer is stopped by the dispatcher at once."""
    if request.files:  # its picture is kept, and that is said
        return CommandResult()
    return CommandResult(translator.say("Nothing is being written just now."))


async def _pictures(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    conversation = await services.assistant.history.load(request.conversation_id)
    if not conversation.pictures:
        return CommandResult(translator.say("There are no pictures in this conversation yet."))
    listed = _list(conversation, translator)
    if not request.display.files:
        return CommandResult(listed)
    return CommandResult(listed, (File("pictures.png", await contact_sheet(conversation.pictures)),))


async def _remove(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    number = request.text.strip()
    if not number.isdecimal() or len(number) > PICTURE_NUMBER_DIGITS:
        prefix = request.platform.prefix
        return CommandResult(translator.say("Say which picture: {slash}remove 2, for example.", slash=prefix))
    await services.assistant.remove_picture(request.conversation_id, int(number))
    return CommandResult(translator.say("Picture {number} is removed.", number=int(number)))


async def _export(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    conversation = await services.store.outline(request.conversation_id)
    if not conversation.turns and not conversation.waiting:
        raise NotFound("There is nothing in this conversation yet.")
    async with services.exports:
        packed = [piece async for piece in archive(conversation, services.store.picture_data, translator)]
        return CommandResult(files=(File("conversation.zip", b"".join(packed)),))


async def _file(request: AnswerRequest, services: Services) -> CommandResult:
    turn = await services.store.turn_of_sent(request.platform.name, request.about or "", request.conversation_id)
    file = file_of(turn, AnswerAction(request.command or "")) if turn else None
    if file is None:
        raise NotFound("I do not remember that answer any more. Please send the picture again.")
    return CommandResult(files=(file,))


def _decides(decision: Decision) -> Run:
    return partial(decide, decision)


def _list(conversation: Conversation, translator: Translator) -> str:
    waiting = {picture.number for picture in conversation.waiting}
    lines = []
    for picture in conversation.pictures:
        width, height = picture.image.original_size
        line = translator.say("Picture {number}: {width} × {height}", number=picture.number, width=width, height=height)
        lines.append(f"{line} {translator.say('(waits for a question)')}" if picture.number in waiting else line)
    return "\n".join(lines)


_ROWS = (
    Command("help", "帮助", Note("What I can do"), _help, also=("hi", "hello", "你好")),
    Command("new", "新对话", Note("Begin a new conversation"), _new),
    Command("pictures", "图片", Note("List this conversation's pictures"), _pictures, about_conversation=True),
    Command("remove", "移除", Note("Remove a picture"), _remove, Takes.NUMBER, about_conversation=True),
    Command("stop", "停止", Note("Stop the answer"), _stop, about_conversation=True),
    Command("retry", "重试", Note("Answer the last question again"), None, about_conversation=True),
    Command(
        "export",
        "导出",
        Note("Get this conversation as a file"),
        _export,
        about_conversation=True,
        needs_files=True,
    ),
    Command(
        "forget",
        "忘记",
        Note("Delete this conversation and its pictures"),
        _forget,
        Takes.EVERYTHING,
        about_conversation=True,
    ),
    Command("stats", "统计", Note("How the service is doing"), stats, for_admins=True),
    Command("people", "成员", Note("Who may ask, and who waits for it"), people, for_admins=True),
    Command("allow", "允许", Note("Let somebody in"), _decides(Decision.ALLOW), Takes.PERSON, for_admins=True),
    Command("block", "屏蔽", Note("Stop answering somebody"), _decides(Decision.BLOCK), Takes.PERSON, for_admins=True),
    Command(
        "unblock", "解除屏蔽", Note("Answer somebody again"), _decides(Decision.UNBLOCK), Takes.PERSON, for_admins=True
    ),
)
COMMANDS = {command.name: command for command in _ROWS}
