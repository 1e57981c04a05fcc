"""Define the commands that people can give by a word, such as /new, in one table for menus, help and parsing.

A new command is a row of the table with its function, or with the question that it stands for, and its sentences in
`core/locale`.
"""

from functools import partial

from bots.conversing.actions import file_of
from bots.conversing.administration import decide, people, stats
from bots.conversing.answer_action import ASK, FIRST_QUESTIONS, FOLLOW_UPS, AnswerAction
from bots.conversing.command import Command, Run, Takes
from bots.conversing.command_result import CommandResult
from bots.conversing.conversation_settings import BUTTONS, press, settings
from bots.conversing.events import File, Tell
from bots.conversing.permissions import Decision
from bots.conversing.platform import Platform
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from core.answer import Answer, Ending
from core.answers.transcript import archive
from core.conversation import Conversation
from core.errors import NotAllowed, NotFound
from core.i18n import LANGUAGES, Translator
from core.note import Note
from core.pictures.contact_sheet import contact_sheet

ADMINS_ONLY = "Only this bot's admins may do that."
PICTURE_NUMBER_DIGITS = 6  # databases refuse larger numbers in their own ways


def allowed(platform: Platform, *, admin: bool, files: bool = True) -> list[Command]:
    """Return the commands that an admin or another person may give on a platform, with or without files."""
    rows = [row for row in _ROWS if (admin or not row.for_admins) and (files or not row.needs_files)]
    return [row for row in rows if platform.prefix or row.takes is not Takes.WORDS]


def command_in(text: str, platform: Platform) -> tuple[str | None, str]:
    """Return the command that a whole message of plain words is, and what follows it; else None and the text.

    The text of a command that stands for a question is the question.
    """
    said = text.rstrip(" .!。！")
    word, _, rest = said.lower().partition(" ")
    rest = rest.strip()
    for command in _ROWS:
        if word in (command.name, command.chinese, *command.also):
            if command.question is not None:
                language = "zh" if word == command.chinese else "en"
                return None, (None if rest else command.asked("", Translator(language))) or text
            if command.takes in (Takes.SETTING, Takes.REGION) and rest:  # these stay as they were written
                rest = (text if command.takes is Takes.SETTING else said).split(maxsplit=1)[1].strip()
            return (command.name, rest) if not rest or command.takes.fits(rest, platform) else (None, text)
    return None, text


def asks_model(command: str | None) -> bool:
    """Return whether the model answers it, if there are words for it."""
    if command in COMMANDS:
        return COMMANDS[command].run is None
    return command is None or command in (*FOLLOW_UPS, *FIRST_QUESTIONS)


def pressed_question(command: str | None, translator: Translator) -> str | None:
    """Return the question of a button below a picture, in the asker's language; None for any other command."""
    return SHORTHANDS[command.removeprefix(ASK)].asked("", translator) if command in FIRST_QUESTIONS else None


def wants_csv(question: str) -> bool:
    """Return whether a question is the one for a table."""
    return question in [SHORTHANDS["table"].asked("", Translator(language)) for language in LANGUAGES]


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
    if (shorthand := SHORTHANDS.get(request.command or "")) is not None:  # without the words that it needs
        example = request.here(shorthand.spelled(request.platform, translator))
        return CommandResult(translator.say("Say what to look for: {example}, for example.", example=example))
    if request.command in BUTTONS:
        return await press(request, services, translator)
    command = COMMANDS.get(request.command or "")
    if command is not None and command.takes is Takes.REGION:  # its words name none
        example = request.here(command.spelled(request.platform, translator))
        return CommandResult(translator.say("Say where to look: {example}, for example.", example=example))
    if command is None or command.run is None or (command.needs_files and not request.display.files):
        return await _help(request, services, translator)
    if command.for_admins and not request.asker.admin:
        raise NotAllowed(ADMINS_ONLY)
    return await command.run(request, services, translator)


async def _help(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    """Return what works in this chat, and all commands that this person may give."""
    introduction = request.introduction or request.platform.introduction
    lines = [
        command.explained(request.platform, translator)
        for command in allowed(request.platform, admin=request.asker.admin, files=request.display.files)
    ]
    paragraphs = [*map(translator.explain, introduction), "\n".join(lines)]
    if services.store.ratings and (request.platform.rate_in_groups or not request.asker.shared):
        paragraphs.append(translator.say("A 👍 or 👎 on one of my answers tells the operator whether it is right."))
    return CommandResult("\n\n".join(paragraphs))


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
            command=request.here(f"{COMMANDS['forget'].spelled(request.platform, translator)} {translator.say('all')}"),
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
        example = request.here(COMMANDS["remove"].spelled(request.platform, translator))
        return CommandResult(translator.say("Say which picture: {example}, for example.", example=example))
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
    turn = await services.store.turn_of_posted(request.platform.name, request.about or "", request.conversation_id)
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
    Command("text", "文字", Note("Read what is printed"), None, question=Note("Extract all text.")),
    Command("table", "表格", Note("Make a table of it, with a CSV file"), None, question=Note("Give me a table.")),
    Command(
        "describe",
        "描述",
        Note("Describe it"),
        None,
        question=Note("Describe the picture: first in one sentence, as an alternative text, then in more detail."),
    ),
    Command(
        "translate",
        "翻译",
        Note("Translate what is printed"),
        None,
        question=Note("Translate all text in the picture into {words}."),
        words=Note("English"),
        example=Note("German"),
    ),
    Command("where", "在哪里", Note("Show where something is"), None, Takes.WORDS, question=Note("Where is {words}?")),
    Command("closer", "放大", Note("Look closer at a part of a picture"), None, Takes.REGION, about_conversation=True),
    Command(
        "json",
        "数据",
        Note("Get what it says as JSON"),
        None,
        question=Note("Give me everything that the picture says as JSON."),
    ),
    Command(
        "settings",
        "设置",
        Note("How I answer here: instructions, language, length"),
        settings,
        Takes.SETTING,
        about_conversation=True,
        example=Note("length short"),
    ),
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
COMMANDS = {command.name: command for command in _ROWS if command.question is None}
SHORTHANDS = {command.name: command for command in _ROWS if command.question is not None}
