"""Walk through a group and a private chat on Telegram, for `tests.bots.walk`."""

from tests.bots.guest import Home, Script, Sent
from tests.bots.telegram.conftest import until
from tests.bots.telegram.guest import PATIENCE_S, TelegramGuest, visiting
from tests.bots.telegram.person import Person
from tests.bots.telegram.world import BOT, Chat, Json

NAME = f"@{BOT['username']}"


async def walked(home: Home, language: str, script: Script, picture: Sent) -> str:
    async with visiting(home, language) as guest:
        await guest.ask("/help")
        await guest.ask("", picture)
        await guest.ask(script.question)
        await guest.ask(script.more)
        await guest.edit(script.edited)
        await guest.ask("/settings")
        await guest.ask(f"/settings {script.length}")
        await guest.ask("/stop")
        await guest.ask("/forget")
        group = guest.world.chat(-100)
        await _in_a_group(guest, group, language, script, picture)
        return f"{_drawn(guest.chat)}\n\n{'=' * 40}\n\n{_drawn(group)}"


async def _in_a_group(guest: TelegramGuest, group: Chat, language: str, script: Script, picture: Sent) -> None:
    ann, cat = Person(guest.telegram, group, 7, language), Person(guest.telegram, group, 11, language)
    cat.shows(picture.data)
    for text in script.chatter:
        cat.says(text)
    for order in (f"/help{NAME}", f"/pictures{NAME}"):
        await _answered(guest, ann.says(order), group)
    await _answered(guest, ann.shows(picture.data, f"{NAME} {script.question}"), group)
    [*_, answer] = group.by_bot()
    asked = ann.says(script.more, reply_to=answer)
    await _answered(guest, asked, group)
    ann.edits(asked, script.edited)
    await guest.settled()
    cat.says(script.chatter[0], reply_to=asked)
    for order in (f"/settings{NAME}", f"/stop{NAME}", f"/forget{NAME}"):
        await _answered(guest, ann.says(order), group)


async def _answered(guest: TelegramGuest, question: Json, group: Chat) -> None:
    await until(lambda: group.answers_to(question["message_id"]), PATIENCE_S)
    await guest.settled()


def _drawn(chat: Chat) -> str:
    return "\n\n".join(_message(message) for _, message in sorted(chat.messages.items()))


def _message(message: Json) -> str:
    sender = "BOT" if message["from"]["id"] == BOT["id"] else f"Person {message['from']['id']}"
    replied = message.get("reply_to_message", {})
    quote = f" ↩ {(replied.get('text') or replied.get('caption') or '…')[:30]!r}" if replied else ""
    shown = ["[photo]" for _ in message.get("photo", ())[:1]]
    shown += [f"[{message['document'].get('file_name')}]"] if "document" in message else []
    words = message.get("text") or message.get("caption") or ""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [" ".join(f"[{button['text']}]" for row in rows for button in row)] if rows else []
    return "\n".join(filter(None, [f"{sender}{quote}:", *shown, words, *buttons]))
