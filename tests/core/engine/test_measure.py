"""The measuring instruments work: on our engine, against a server, and between precisions."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.benchmark.bench import Figures
from core.benchmark.commands import app
from core.benchmark.goals import GOALS, write_table
from core.benchmark.scene import make_picture
from core.benchmark.server import Server
from core.benchmark.target import AnswerTimes
from tests.core.engine.tiny import ask, make_image


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


def test_bench_prints_every_figure_of_both(tiny: Path, tmp_path: Path, server: str) -> None:
    options = ["--conversations", "2", "--tokens", "6", "--cache", str(tmp_path), "--threads", "1", "--json"]
    result = CliRunner().invoke(app, ["bench", str(tiny), "--against", server, *options], catch_exceptions=False)
    figures = json.loads(result.stdout)
    assert figures["here"]["first_token_s"] > figures["here"]["followup_first_token_s"] > 0
    assert figures["here"]["peak_memory_bytes"] > 1e7
    assert figures["here"]["load_s"] > figures["here"]["restart_followup_first_token_s"] > 0
    assert figures["here"]["longest_pause_s"] > 0
    assert {goal.figure for goal in GOALS} == set(figures["here"]) == set(figures["other"])
    assert figures["other"]["first_token_s"] > 0
    assert figures["other"]["load_s"] is None


def test_compare_finds_no_difference_between_a_precision_and_itself(tiny: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(make_image(1).data)
    options = ["--precision", "float32", "--tokens", "4", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["compare", str(tiny), str(picture), *options], catch_exceptions=False)
    assert "0.00000" in result.stdout
    assert "100.0%" in result.stdout


def test_the_goals_are_a_table_that_says_what_was_reached() -> None:
    here: Figures = {"first_token_s": 6.0, "decode_tokens_per_s": 9.0, "longest_pause_s": 2.0, "peak_memory_bytes": 3e9}
    other: Figures = {
        "first_token_s": 12.0,
        "decode_tokens_per_s": 10.0,
        "longest_pause_s": 9.0,
        "peak_memory_bytes": None,
    }
    lines = list(write_table({"here": here, "other": other}, 8))
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| first token, cold | 0.6 | 6.00 s | 12.00 s | 0.50 | reached |"
    assert lines[3] == "| decode, one conversation | 1.0 | 9.00 tokens/s | 10.00 tokens/s | 0.90 | missed |"
    assert any(line.endswith("| 1.5 s | 2.00 s | 9.00 s | 0.22 | missed |") for line in lines)
    assert any(line.endswith("| 3.00 GB |  |  |  |") for line in lines)
    assert len(list(write_table({"here": here}, 8))) == len(lines)


def test_crowd_tells_pauses_estimates_and_memory(tiny: Path, tmp_path: Path) -> None:
    options = ["--conversations", "2", "--seconds", "0.2", "--tokens", "6", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["crowd", str(tiny), *options], catch_exceptions=False)
    assert result.stdout.count("\n| ") == 2
    for found in ("longest pause of any running answer: ", "; estimates: ", "GB of a budget of "):
        assert found in result.stdout


def test_every_made_up_picture_is_new() -> None:
    assert make_picture(1).data != make_picture(2).data
    assert make_picture(1, make_picture(3).data).data != make_picture(2, make_picture(3).data).data
