"""Walk through a channel and a direct message on Slack, for `tests.bots.walk`."""

from tests.bots.guest import Home, Script, Sent
from tests.bots.slack.guest import DM, SlackGuest, visiting
from tests.bots.slack.workspace import BOT, Json, buttons, said

CHANNEL, ME = "C0GENERAL", f"<@{BOT}>"


async def walked(home: Home, language: str, script: Script, picture: Sent) -> str:
    async with visiting(home, language) as guest:
        await guest.ask("help")
        await guest.ask("", picture)
        await guest.ask(script.question)
        await guest.ask(script.more)
        await guest.edit(script.edited)
        for words in ("settings", f"settings {script.length}", "stop", "forget"):
            await guest.ask(words)
        await _in_a_channel(guest, script, picture)
        channels = guest.workspace.channels
        return f"{_drawn(channels[DM])}\n\n{'=' * 40}\n\n{_drawn(channels[CHANNEL])}"


async def _in_a_channel(guest: SlackGuest, script: Script, picture: Sent) -> None:
    def shown() -> tuple[Json, ...]:
        return (guest.slack.upload(picture.data, picture.name, picture.kind),)

    theirs = guest.slack.says("", shown(), user="U0CAT")
    for text in script.chatter:
        guest.slack.says(text, user="U0CAT")
        guest.slack.says(text, user="U0CAT", thread=theirs)
    guest.slack.says(f"{ME} help")
    await guest.settled()
    asked = guest.slack.says(f"{ME} {script.question}", shown())
    await guest.settled()
    more = guest.slack.says(f"{ME} {script.more}", thread=asked)
    await guest.settled()
    guest.slack.edits(CHANNEL, more, f"{ME} {script.edited}")
    await guest.settled()
    guest.slack.says(script.chatter[0], user="U0CAT", thread=asked)
    for order in ("pictures", "settings", "stop", "forget"):
        guest.slack.says(f"{ME} {order}", thread=asked)
        await guest.settled()


def _drawn(messages: list[Json]) -> str:
    return "\n\n".join(_message(message) for message in messages)


def _message(message: Json) -> str:
    sender = "BOT" if message["user"] == BOT else message["user"]
    place = " (in a thread)" if message.get("thread_ts", message["ts"]) != message["ts"] else ""
    shown = [f"[{file['name']}]" for file in message.get("files", ())]
    pressed = " ".join(f"[{button['text']['text']}]" for button in buttons(message))
    return "\n".join(filter(None, [f"{sender}{place}:", *shown, said(message), pressed]))
