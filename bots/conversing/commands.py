"""What the commands do, /new and /pictures for example, and the buttons that give out files."""

from collections.abc import AsyncGenerator

from bots.conversing.actions import Offer, file_of
from bots.conversing.administration import ORDERS, administer
from bots.conversing.draft import File
from bots.conversing.request import Request
from bots.conversing.services import House
from core.answers.transcript import archive
from core.assistant import Assistant
from core.conversation import Answer, Conversation, Ending, Event
from core.errors import NotFound
from core.i18n import Voice
from core.pictures.contact_sheet import contact_sheet

MOST_DIGITS = 6  # of a picture's number; databases refuse larger ones in their own ways


def says(sentence: str) -> Answer:
    return Answer(sentence, Ending.DONE)


async def obey(request: Request, house: House, voice: Voice) -> AsyncGenerator[Event | File]:
    """Raises `NotFound` and `NotAllowed`. An unknown command gets the help."""
    assistant = house.assistant
    match request.command:
        case "new":
            await assistant.begin(request.conversation_id)
            yield says(voice.say("This is a new conversation. Send a picture and ask about it."))
        case "forget" if not request.forgets:
            command = f"{request.slash}forget all"
            yield says(
                voice.say(
                    "Others take part in this conversation. If you want to delete it for everybody, with all its "
                    "pictures, tell me “{command}”.",
                    command=command,
                )
            )
        case "forget":  # which the desk has done: that comes before everything that waits, and before any word
            yield says(voice.say("Forgotten: this conversation and its pictures are deleted."))
        case "pictures":
            conversation = await assistant.history.load(request.conversation_id)
            if request.wishes.files and conversation.pictures:
                yield File("pictures.png", await contact_sheet(conversation.pictures))
            yield says(_list(conversation, voice))
        case "remove":
            yield says(await _remove(request, assistant, voice))
        case "export" if request.wishes.files:
            conversation = await house.store.outline(request.conversation_id)
            if not conversation.turns and not conversation.waiting:
                raise NotFound("There is nothing in this conversation yet.")
            async with house.exports:
                packed = [piece async for piece in archive(conversation, house.store.picture_data, voice)]
                yield File("conversation.zip", b"".join(packed))
            yield says("")
        case Offer.CSV | Offer.TEXT if request.wishes.files:
            yield await _file(request, house)
            yield says("")
        case command if command in ORDERS:
            yield says(await administer(request, house, voice))
        case "stop":
            yield says(voice.say("Nothing is being written just now."))
        case _:
            yield says(request.help)


async def _file(request: Request, house: House) -> File:
    adapter = request.conversation_id.split(":")[0]
    turn = await house.store.turn_of_sent(adapter, request.about or "", request.conversation_id)
    file = file_of(turn, Offer(request.command or "")) if turn else None
    if file is None:
        raise NotFound("I do not remember that answer any more. Please send the picture again.")
    return file


async def _remove(request: Request, assistant: Assistant, voice: Voice) -> str:
    number = request.text.strip()
    if not number.isdecimal() or len(number) > MOST_DIGITS:
        return voice.say("Say which picture: {slash}remove 2, for example.", slash=request.slash)
    await assistant.remove_picture(request.conversation_id, int(number))
    return voice.say("Picture {number} is removed.", number=int(number))


def _list(conversation: Conversation, voice: Voice) -> str:
    if not conversation.pictures:
        return voice.say("There are no pictures in this conversation yet.")
    waiting = {picture.number for picture in conversation.waiting}
    lines = []
    for picture in conversation.pictures:
        width, height = picture.image.original_size
        line = voice.say("Picture {number}: {width} × {height}", number=picture.number, width=width, height=height)
        lines.append(f"{line} {voice.say('(waits for a question)')}" if picture.number in waiting else line)
    return "\n".join(lines)
