"""In a channel nothing speaks unless it is spoken to."""

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

CHANNEL, ME = "C0GENERAL", f"<@{BOT}>"


async def test_chatter_in_a_channel_gets_no_answer_and_no_reaction(scene: Scene) -> None:
    slack, workspace = scene.slack, scene.slack.workspace
    async with scene.bot():
        asked = scene.ask()
        [answer] = await scene.finished(asked)
        spoken, reacted = _by_bot(scene), list(workspace.reacted)

        slack.says("<@U0CAT> has joined the channel", user="U0CAT", subtype="channel_join")
        picture = slack.says("", (slack.upload(png()),), user="U0CAT")
        slack.says("Look, what is this?", (slack.upload(png()), slack.upload(png("green"))), user="U0CAT")
        for text in ("What is the total?", "help", "stop", "<@U0CAT> and you?"):
            slack.says(text)
            slack.says(text, thread=picture)
            slack.says(text, thread=asked)
        slack.says("With a picture", (slack.upload(png()),), thread=asked)
        slack.edits(CHANNEL, picture, "Now with words: what is this?")
        slack.deletes_message(CHANNEL, slack.says("A slip"))
        slack.reacts("eyes", answer)
        slack.says("<@U0CAT> has left the channel", user="U0CAT", subtype="channel_leave")
        await slack.settled()
        assert _by_bot(scene) == spoken

        order = slack.says(f"{ME} pictures", thread=asked)
        answers = await scene.finished(asked, 2)
    assert said(answers[1]).startswith("Picture 1")
    assert _by_bot(scene) == [*spoken, *(message["ts"] for message in answers[1:])]
    assert set(workspace.reacted) - set(reacted) <= {order}


def _by_bot(scene: Scene) -> list[str]:
    return [m["ts"] for ms in scene.slack.workspace.channels.values() for m in ms if m["user"] == BOT]
