"""The measuring instruments work: on our engine, against a server, and between precisions."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.benchmark.bench import LONG_ANSWER_TOKENS, Figures, measure
from core.benchmark.commands import app
from core.benchmark.goals import GOALS, write_tables
from core.benchmark.scene import make_picture
from core.benchmark.server import Server
from core.benchmark.target import AnswerTimes
from core.conversation import Conversation
from tests.core.engine.tiny import ask, make_image

# As a shell starts it in the background.
BENCH = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from core.benchmark.commands import main
main()
"""


class OpenAI(BaseHTTPRequestHandler):
    """Streams three words to any question and keeps what it was asked."""

    asked: dict[str, object]

    def do_POST(self) -> None:
        type(self).asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        for word in ("one ", "two ", "three"):
            self._send({"choices": [{"delta": {"content": word}}]})
        self._send({"choices": [], "usage": {"completion_tokens": 5}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, chunk: dict[str, object]) -> None:
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *values: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OpenAI) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


async def test_another_server_is_asked_the_same(server: str) -> None:
    writing = await Server(server, None).ask(ask("What is it?", make_image(1)), 9, AnswerTimes())
    assert writing.text == "one two three"
    assert writing.tokens == 5
    assert writing.first_token_s > 0
    assert OpenAI.asked["max_tokens"] == 9
    assert "data:image/png;base64," in json.dumps(OpenAI.asked)


def test_bench_prints_every_figure_of_all(tiny: Path, tmp_path: Path, server: str) -> None:
    """A first round makes int8 weights, so its peak is of a first start."""
    options = ["--conversations", "2", "--tokens", "6", "--cache", str(tmp_path), "--precision", "int8", "--json"]
    servers = ["--against", server, "--against", f"{server}/v1", "--rounds", "2"]
    result = CliRunner().invoke(app, ["bench", str(tiny), *servers, *options], catch_exceptions=False)
    found = json.loads(result.stdout)
    for figures in found["here"]:
        for name in ("first_token_s", "followup_first_token_s", "load_s", "restart_followup_first_token_s"):
            assert figures[name] > 0
        assert figures["longest_pause_s"] > 0
    first, second = found["here"]
    assert first["first_start_peak_memory_bytes"] > 1e7 and second["peak_memory_bytes"] > 1e7
    assert {goal.figure for goal in GOALS} == first.keys() | second.keys()
    assert first.keys() ^ second.keys() == {"first_start_peak_memory_bytes", "peak_memory_bytes"}
    assert list(found) == ["here", server, f"{server}/v1"]
    for figures in found[server] + found[f"{server}/v1"]:
        assert figures.keys() == second.keys()
        assert figures["first_token_s"] > 0
        assert figures["load_s"] is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_bench_that_is_ended_early_prints_what_it_measured(tiny: Path, tmp_path: Path, number: signal.Signals) -> None:
    options = ["--conversations", "2", "--tokens", "6", "--cache", str(tmp_path), "--rounds", "1000"]
    command = [sys.executable, "-c", BENCH, "bench", str(tiny), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        for line in process.stderr:
            if "peak_memory_alone_bytes" in line:
                break
        process.send_signal(number)
        printed, _ = process.communicate()
    lines = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("| ")]
    measured = {name.strip(): here.strip() for name, _, here, *_ in lines}  # not every row has a goal on each processor
    assert measured["first token, cold"].endswith(" s")
    assert re.search(r"Medians of at most \d{1,3} rounds", printed)
    assert " --rounds 1000" in printed


class Disturbed:
    """A target that answers at once, but goes on with the long answer, which is disturbed, until it is told to end."""

    is_new = False

    def __init__(self) -> None:
        self.running = False

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def restart(self) -> None: ...

    def peak(self) -> None: ...

    async def ask(self, conversation: Conversation, tokens: int, writing: AnswerTimes) -> AnswerTimes:
        if tokens == LONG_ANSWER_TOKENS:
            await self.write_on(writing)
        writing.end(1)
        return writing

    async def write_on(self, writing: AnswerTimes) -> None:
        raise NotImplementedError


async def test_ctrl_c_is_heeded_also_while_the_disturbed_answer_is_being_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Disturbed):
        async def write_on(self, writing: AnswerTimes) -> None:
            writing.add("word")
            try:
                await asyncio.Event().wait()
            finally:
                measuring.cancel()

    monkeypatch.setattr("core.benchmark.bench.FOLLOW_UP_SECONDS", 0)
    target, found = Ended(), dict[str, list[Figures]](it=[])
    measuring = asyncio.create_task(measure({"it": target}, 1, 1, 1, None, found, lambda line: None))
    await asyncio.wait([measuring])
    assert measuring.cancelled() and not target.running
    assert "peak_memory_alone_bytes" in found["it"][0] and "longest_pause_s" not in found["it"][0]


async def test_a_disturbed_answer_that_fails_before_its_first_word_ends_the_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(Disturbed):
        async def write_on(self, writing: AnswerTimes) -> None:
            raise RuntimeError("4000 tokens are too many")

    monkeypatch.setattr("core.benchmark.bench.FOLLOW_UP_SECONDS", 0)
    with pytest.raises(RuntimeError, match="4000 tokens are too many"):
        await measure({"it": Refusing()}, 1, 1, 1, None, {"it": []}, lambda line: None)


def test_each_server_needs_its_own_command(tiny: Path) -> None:
    options = ["--against", "http://127.0.0.1:1", "--against", "http://127.0.0.1:2", "--command", "true"]
    result = CliRunner().invoke(app, ["bench", str(tiny), *options])
    assert result.exit_code == 2
    assert "Give each --against a --command, or none." in result.stderr


def test_compare_finds_no_difference_between_a_precision_and_itself(tiny: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(make_image(1).data)
    options = ["--precision", "float32", "--tokens", "4", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["compare", str(tiny), str(picture), *options], catch_exceptions=False)
    assert "0.00000" in result.stdout
    assert "100.0%" in result.stdout


def test_the_goals_are_a_table_that_says_what_was_reached() -> None:
    here: list[Figures] = [
        {
            "first_token_s": 6.0,
            "decode_tokens_per_s": 9.0,
            "longest_pause_s": 0.6,
            "first_start_peak_memory_bytes": 3e9,
        },
        {"first_token_s": 5.0, "decode_tokens_per_s": 9.5, "longest_pause_s": 0.6, "peak_memory_bytes": 2e9},
        {"first_token_s": 4.0, "decode_tokens_per_s": 8.0},  # ended early
    ]
    other: list[Figures] = [
        {"first_token_s": 10.0, "decode_tokens_per_s": 10.0, "longest_pause_s": 9.0, "peak_memory_bytes": 4e9},
        {"first_token_s": 12.0, "decode_tokens_per_s": 8.0, "longest_pause_s": 9.0, "peak_memory_bytes": None},
    ]
    lines = list(write_tables({"here": here, "other": other}, 8, vnni=True))
    assert len({line.count("|") for line in lines[:-1]}) == 1
    assert (
        lines[2] == "| first token, cold | ≤ 0.4 | 5.00 s (4.00 to 6.00) | 11.00 s (10.00 to 12.00) | 0.45 | missed |"
    )
    assert "| ≥ 1.3 | 9.00 tokens/s (8.00 to 9.50) | 9.00 tokens/s (8.00 to 10.00) | 1.00 | missed |" in lines[3]
    assert any(line.endswith("| ≤ 0.5 s | 0.60 s | 9.00 s | 0.07 | missed |") for line in lines)
    assert any(line.startswith("| peak memory, 8") and line.endswith("| 0.50 | reached |") for line in lines)
    assert any(line.endswith("| ≤ 0.7 | 3.00 GB | 4.00 GB | 0.75 | missed |") for line in lines)
    older = list(write_tables({"here": here, "other": other}, 8, vnni=False))
    assert older[2].startswith("| first token, cold | ≤ 0.6 |") and older[2].endswith("| reached |")
    assert any(line.endswith("| ≤ 1.5 s | 0.60 s | 9.00 s | 0.07 | reached |") for line in older)
    assert len(list(write_tables({"here": here}, 8, vnni=True))) == len(lines)
    assert len(list(write_tables({"here": here, "other": other, "third": other}, 8, vnni=True))) == 2 * len(lines)


def test_crowd_tells_pauses_estimates_and_memory(tiny: Path, tmp_path: Path) -> None:
    options = ["--conversations", "2", "--seconds", "0.2", "--tokens", "6", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["crowd", str(tiny), *options], catch_exceptions=False)
    assert result.stdout.count("\n| ") == 2
    for found in ("longest pause of any running answer: ", "; estimates: ", "GB of a budget of "):
        assert found in result.stdout


def test_every_made_up_picture_is_new() -> None:
    assert make_picture(1).data != make_picture(2).data
    assert make_picture(1, make_picture(3).data).data != make_picture(2, make_picture(3).data).data
