"""What the commands do, /new and /pictures for example, and the buttons that give out files."""

from collections.abc import AsyncGenerator

from bots.conversing.actions import AnswerAction, file_of
from bots.conversing.administration import ORDERS, administer
from bots.conversing.draft import File
from bots.conversing.request import Request
from bots.conversing.services import Services
from core.answers.transcript import archive
from core.assistant import Assistant
from core.conversation import Answer, Conversation, Ending, Event
from core.errors import NotFound
from core.i18n import Translator
from core.pictures.contact_sheet import contact_sheet

MOST_DIGITS = 6  # of a picture's number; databases refuse larger ones in their own ways


def says(sentence: str) -> Answer:
    return Answer(sentence, Ending.DONE)


async def obey(request: Request, services: Services, translator: Translator) -> AsyncGenerator[Event | File]:
    """Raises `NotFound` and `NotAllowed`. An unknown command gets the help."""
    assistant = services.assistant
    match request.command:
        case "new":
            await assistant.begin(request.conversation_id)
            yield says(translator.say("This is a new conversation. Send a picture and ask about it."))
        case "forget" if not request.forgets:
            command = f"{request.slash}forget all"
            yield says(
                translator.say(
                    "Others take part in this conversation. If you want to delete it for everybody, with all its "
                    "pictures, tell me “{command}”.",
                    command=command,
                )
            )
        case "forget":  # which the dispatcher has done: that comes before everything that waits, and before any word
            yield says(translator.say("Forgotten: this conversation and its pictures are deleted."))
        case "pictures":
            conversation = await assistant.history.load(request.conversation_id)
            if request.display.files and conversation.pictures:
                yield File("pictures.png", await contact_sheet(conversation.pictures))
            yield says(_list(conversation, translator))
        case "remove":
            yield says(await _remove(request, assistant, translator))
        case "export" if request.display.files:
            conversation = await services.store.outline(request.conversation_id)
            if not conversation.turns and not conversation.waiting:
                raise NotFound("There is nothing in this conversation yet.")
            async with services.exports:
                packed = [piece async for piece in archive(conversation, services.store.picture_data, translator)]
                yield File("conversation.zip", b"".join(packed))
            yield says("")
        case AnswerAction.CSV | AnswerAction.TEXT if request.display.files:
            yield await _file(request, services)
            yield says("")
        case command if command in ORDERS:
            yield says(await administer(request, services, translator))
        case "stop":
            yield says(translator.say("Nothing is being written just now."))
        case _:
            yield says(request.help)


async def _file(request: Request, services: Services) -> File:
    adapter = request.conversation_id.split(":")[0]
    turn = await services.store.turn_of_sent(adapter, request.about or "", request.conversation_id)
    file = file_of(turn, AnswerAction(request.command or "")) if turn else None
    if file is None:
        raise NotFound("I do not remember that answer any more. Please send the picture again.")
    return file


async def _remove(request: Request, assistant: Assistant, translator: Translator) -> str:
    number = request.text.strip()
    if not number.isdecimal() or len(number) > MOST_DIGITS:
        return translator.say("Say which picture: {slash}remove 2, for example.", slash=request.slash)
    await assistant.remove_picture(request.conversation_id, int(number))
    return translator.say("Picture {number} is removed.", number=int(number))


def _list(conversation: Conversation, translator: Translator) -> str:
    if not conversation.pictures:
        return translator.say("There are no pictures in this conversation yet.")
    waiting = {picture.number for picture in conversation.waiting}
    lines = []
    for picture in conversation.pictures:
        width, height = picture.image.original_size
        line = translator.say("Picture {number}: {width} × {height}", number=picture.number, width=width, height=height)
        lines.append(f"{line} {translator.say('(waits for a question)')}" if picture.number in waiting else line)
    return "\n".join(lines)
