"""Buttons that carry what they never carried: the key of an answer in another conversation."""

import json
from copy import deepcopy

import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.test_malformed import FORGOTTEN, TRANSPORTS, bot
from tests.bots.slack.workspace import BOT, Json, said

ME, DM, OTHER = f"<@{BOT}>", "D0ANN", "C0OTHER"


def other_channel(scene: Scene) -> None:
    """Ann sees what is said there, and a client of her own making can name it."""
    scene.slack.workspace.channels[OTHER] = []
    scene.slack.workspace.members.add(OTHER)


def shown(scene: Scene, channel: str, thread: str) -> list[Json]:
    return deepcopy(scene.slack.workspace.answers(channel, thread))


@pytest.mark.parametrize(
    ("transport", "place"), [("socket", "channel"), ("http", "direct message"), ("socket", "thread beside it")]
)
@pytest.mark.parametrize("button", ["retry", "smallprint", "csv", "text"])
async def test_a_button_that_names_an_answer_elsewhere_is_refused_and_changes_nothing_there(
    scene: Scene, transport: str, button: str, place: str
) -> None:
    other_channel(scene)
    channel = {"channel": OTHER, "direct message": DM, "thread beside it": "C0GENERAL"}[place]
    scene.engine.script = lambda _: "| a | b |\n| - | - |\n| secret | 2 |\n" + "secret " * 500
    async with bot(scene, transport):
        victim = scene.slack.says(f"{ME} read the table", (scene.slack.upload(png("blue")),), channel)
        theirs = await scene.finished(victim, channel=channel)
        mine = scene.ask()
        [*_, answer] = await scene.finished(mine)
        before, asked = shown(scene, channel, victim), len(scene.engine.asked)
        for value in (
            {"key": f"slack:T0TEAM:{channel}:{victim}", "asked": victim},
            {"key": f"slack:T0TEAM:{channel}:{victim}", "asked": mine, "about": theirs[-1]["ts"]},
        ):
            scene.slack.presses({"action_id": button, "value": json.dumps(value)}, answer)
            await scene.slack.settled()
            told = await scene.finished(mine, 2)
            assert {said(message) for message in told if message["ts"] > answer["ts"]} == {FORGOTTEN}
        assert shown(scene, channel, victim) == before
        assert len(scene.engine.asked) == asked


@TRANSPORTS
async def test_a_stop_button_that_names_an_answer_elsewhere_stops_nothing_there(scene: Scene, transport: str) -> None:
    other_channel(scene)
    async with bot(scene, transport, streaming="edit"):
        mine = scene.ask()
        [answer] = await scene.finished(mine)
        scene.engine.pause, scene.engine.script = 0.05, lambda _: "word " * 400
        victim = scene.slack.says(f"{ME} and this?", (scene.slack.upload(png("blue")),), OTHER)
        button, _ = await scene.button(victim, "stop", OTHER)
        assert button["value"] == f"slack:T0TEAM:{OTHER}:{victim}"
        for message in (answer, {**answer, "ts": victim}, {**answer, "thread_ts": victim}):
            scene.slack.presses(button, message)  # in another channel, wherever it says that it stands there
            await scene.slack.settled()
        scene.engine.pause = 0.0
        assert await scene.answer(victim, OTHER) == ("word " * 400).strip()
