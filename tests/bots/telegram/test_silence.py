"""In a group nothing speaks unless it is spoken to."""

from tests.bots.telegram.conftest import Chatting, photo
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi

CAT, OTHER = 11, {"id": 11, "is_bot": False, "first_name": "Cat"}


async def test_chatter_in_a_group_gets_no_answer_and_no_reaction(running: BotApi) -> None:
    chat = running.world.chat(-100)
    team, ann, cat = Chatting(Person(running, chat, 7)), Person(running, chat, 7), Person(running, chat, CAT)
    asked = ann.shows(photo(), "@picture_bot what is this?")
    [answer] = await team.answers(asked)
    before, reacted = len(chat.by_bot()), list(chat.reacted)

    cat.sends(new_chat_members=[OTHER])
    picture = cat.shows(photo("green"))
    cat.shows(photo("green"), "Look, what is this?")
    for colour in ("red", "green"):
        cat.shows(photo(colour), "From the beach" if colour == "red" else "", album="beach")
    cat.forwards(photo(), "What is the total?")
    cat.sends_file(photo(), "photo.jpg", "image/jpeg", "as a file")
    ann.says("What is the total?", reply_to=picture)
    ann.says("hello")
    ann.says("help")
    ann.says("@cat did you see that picture_bot?")
    ann.says("@cat and you?", reply_to=answer)
    ann.says("/pictures@other_bot")
    ann.says("/roll")
    cat.says("stop", reply_to=asked)
    cat.edits(picture, "Now with words: what is this?")
    cat.sends(sticker={"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 9, "height": 9})
    cat.sends(pinned_message={k: v for k, v in picture.items() if k != "reply_to_message"})
    cat.sends(left_chat_member=OTHER)

    asked = ann.says("/pictures@picture_bot")
    assert (await team.answer(asked)).startswith("Picture 1")
    assert len(chat.by_bot()) == before + len(chat.answers_to(asked["message_id"]))
    assert set(chat.reacted) - set(reacted) <= {asked["message_id"]}
