"""The measuring instruments work: on our engine, against a server, and between precisions."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.engine.__main__ import app
from core.engine.bench import Other, make_picture
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
    writing = await Other(server, None).ask(ask("What is it?", make_image(1)), 9)
    assert writing.text == "one two three"
    assert writing.tokens == 5
    assert writing.first_token_s > 0
    assert OpenAI.asked["max_tokens"] == 9
    assert "data:image/png;base64," in json.dumps(OpenAI.asked)


def test_bench_prints_every_figure_of_both(tiny: Path, tmp_path: Path, server: str) -> None:
    options = ["--conversations", "2", "--tokens", "6", "--cache", str(tmp_path), "--threads", "1", "--json"]
    result = CliRunner().invoke(app, ["bench", str(tiny), "--against", server, *options], catch_exceptions=False)
    figures = json.loads(result.stdout)
    assert figures["ours"]["first_token_s"] > figures["ours"]["followup_first_token_s"] > 0
    assert figures["ours"]["peak_memory_bytes"] > 1e7
    assert figures["other"]["first_token_s"] > 0
    assert figures["other"]["load_s"] is None


def test_compare_finds_no_difference_between_a_precision_and_itself(tiny: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(make_image(1).data)
    options = ["--precision", "float32", "--tokens", "4", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["compare", str(tiny), str(picture), *options], catch_exceptions=False)
    assert "0.00000" in result.stdout
    assert "100.0%" in result.stdout


def test_crowd_tells_pauses_and_memory(tiny: Path, tmp_path: Path) -> None:
    options = ["--conversations", "2", "--seconds", "0.2", "--tokens", "6", "--cache", str(tmp_path)]
    result = CliRunner().invoke(app, ["crowd", str(tiny), *options], catch_exceptions=False)
    assert result.stdout.count("│") == 2 * 5  # two visits
    assert "GB" in result.stdout


def test_every_made_up_picture_is_new() -> None:
    assert make_picture(1).data != make_picture(2).data
    assert make_picture(1, make_picture(3).data).data != make_picture(2, make_picture(3).data).data
