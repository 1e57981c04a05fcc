"""Print in a Slack thread, streamed and edited."""

import asyncio

import pytest

from tests.bots.slack.conftest import Scene, says
from tests.bots.slack.workspace import said

PRINT = "Balance 500\n- 320\n- 45\n2*3*4 __init__\nC:\\_tmp\\(new)\n# 5520\n1) one"


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_a_transcription_is_a_code_block_which_slack_shows_as_it_is(scene: Scene, streaming: str) -> None:
    scene.engine.script, scene.engine.gate = says(PRINT), asyncio.Event()
    grows = "chat.appendStream" if streaming == "native" else "chat.update"
    async with scene.bot(streaming=streaming):
        asked = scene.ask("Extract all text")
        while not scene.slack.workspace.calls[grows]:
            await asyncio.sleep(0.01)
        scene.engine.gate.set()
        [message] = await scene.finished(asked)
        assert said(message) == f"```\n{PRINT}\n```"
        assert scene.slack.workspace.calls["chat.update"] == 0 or streaming == "edit"


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_print_in_another_answer_is_escaped_and_emphasis_stays(scene: Scene, streaming: str) -> None:
    scene.engine.script, scene.engine.pause = says(f"**It says:**\n{PRINT}\n\n- a list and `2*3*4`"), 0.05
    async with scene.bot(streaming=streaming):
        [message] = await scene.finished(scene.ask("What is wrong here?"))
        escaped = r"""\- 320,\- 45,2\*3\*4 \_\_init\_\_,C:\\_tmp\\(new),\# 5520,1\) one""".replace(",", "\n")
        assert said(message) == f"**It says:**\nBalance 500\n{escaped}\n\n- a list and `2*3*4`"
        assert scene.slack.workspace.calls["chat.update"] == 0 or streaming == "edit"
        if streaming == "edit":
            assert PRINT in message["text"]  # what notifications show
