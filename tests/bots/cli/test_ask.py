"""The terminal, asked in a process of its own."""

import io
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image as PilImage
from rich.console import Console
from typer.testing import Result

from bots.cli import ask_local
from bots.cli.answer_output import AnswerOutput
from bots.cli.ask import converse
from bots.cli.ask_files import LocalFile
from bots.cli.ask_local import ID, LocalAnswerer, answer_locally
from bots.cli.ask_settings import settings_of_options
from bots.config import load
from bots.conversing.conversation_settings import changed
from core.assistant import Assistant
from core.errors import BadQuestion
from core.pictures.documents import Document, open_document
from core.settings import ConversationSettings
from tests.bots.cli.command import told
from tests.core.engine.any_tiny import make_other
from tests.core.nine_pages import PAPER, page_numbers
from tests.core.papers import pdf
from tests.demo import SAMPLES
from tests.fakes import Interrupted, MemoryHistory, ScriptedEngine, describe, image

ROOT = Path(__file__).parents[3]


def test_a_pdf_is_read_here_too_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(pdf([f"page {number}" for number in range(1, 8)]))
    words = [sys.executable, "-m", "bots", "ask", str(tmp_path / "paper.pdf"), "Read page 9"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 2
    assert result.stderr == "This document has 7 pages; please ask about one of them.\n"
    assert result.stdout == ""


def test_where_opening_a_file_crashes_only_the_sentence_is_printed(tmp_path: Path) -> None:
    script = """
import runpy, sys
from core.pictures import workers
run = workers.run
workers.run = lambda job, data, *_, **__: run("tests.core.jobs:crash", data, {})
sys.argv = ["bots", *sys.argv[1:]]
runpy.run_module("bots", run_name="__main__", alter_sys=True)
"""
    words = [sys.executable, "-c", script, "ask", str(SAMPLES / "invoice.png"), "What is the total?"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 2
    assert result.stderr == "This file is damaged in a way I cannot open. A screenshot of it would work.\n"
    assert result.stdout == ""


def test_a_question_longer_than_a_path_is_answered_and_leaves_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[core.engine]\nmodel = "demo"\nthreads = 1\ncache = "{tmp_path}/cache"\n', "utf-8")
    question = f"/{'问' * 100}/ What is the total?"
    words = [sys.executable, "-m", "bots", "ask", "--config", str(config), str(SAMPLES / "invoice.png"), question]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    assert not list((tmp_path / "cache" / "computed").rglob("*.safetensors*"))


def test_options_say_how_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[core.engine]\nmodel = "demo"\n', "utf-8")
    given: list[ConversationSettings] = []

    @asynccontextmanager
    async def answerer(*arguments: object) -> AsyncIterator[LocalAnswerer]:
        given.extend(it for it in arguments if isinstance(it, ConversationSettings))
        yield LocalAnswerer(Assistant(ScriptedEngine(), MemoryHistory()), [Document((image(),))])

    def ask(**options: str) -> Result:
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return told("ask", "--config", str(config), *words, str(SAMPLES / "invoice.png"), "What is it?")

    monkeypatch.setattr(ask_local, "answer_locally", answerer)
    options = {"instructions": "Sell bikes.", "language": "German", "length": "short", "sharpness": "high"}
    for name, value in options.items():
        result = ask(**{name: value})
        assert result.stdout == "Answer to 'What is it?' about [1] after 0 turns.\n", result.stderr
        assert given.pop() == changed(ConversationSettings(), f"{name} {value}")
    ask(**options)
    assert given.pop() == settings_of_options(**options)
    refused = ask(length="brief")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("That setting can be: short,")


async def test_what_options_say_is_heeded_here(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[core.engine]\nmodel = "demo"\nthreads = 1\ncache = "{tmp_path}/cache"\n', "utf-8")
    settings, wanted = load(config), settings_of_options(instructions="Sell bikes.", sharpness="high")
    scan = io.BytesIO()
    PilImage.new("RGB", (2400, 2400), "red").save(scan, "PNG")
    file, widths = LocalFile("scan.png", scan.getvalue()), []
    for options in (ConversationSettings(), wanted):
        async with answer_locally(settings, [file], "", Console(file=io.StringIO()), False, options) as answerer:
            assert (await answerer._assistant.history.load(ID)).settings == options
            widths.append(answerer._documents[0].images[0].width)
    assert widths[0] < widths[1]


async def test_in_a_chat_a_refused_question_s_pictures_stay_for_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusals = [BadQuestion("In fewer words, please.")]
    engine = ScriptedEngine(script=lambda conversation: refusals.pop() if refusals else describe(conversation))
    monkeypatch.setattr(sys, "stdin", io.StringIO("Shorter\nAnd now?\n"))
    screen = Console(file=io.StringIO(), width=20)
    answerer = LocalAnswerer(Assistant(engine, MemoryHistory()), [Document((image(),))])
    await converse(answerer, AnswerOutput(), screen, "Long", chat=True)
    assert isinstance(screen.file, io.StringIO)
    assert "In fewer words, please." in screen.file.getvalue()
    answers = ["Answer to 'Shorter' about [1] after 0 turns.", "Answer to 'And now?' about [] after 1 turns."]
    assert capsys.readouterr().out.splitlines() == answers


@pytest.mark.parametrize(
    ("opened_for", "typed", "seen"),
    [
        ("", ["Page 6?", "And page 7?", "Why?"], [[6], [7], []]),
        ("What is it?", ["What is it?", "And page 7?", "Page 12?"], [[1, 2, 3, 4], [7], []]),
        ("", ["What is it?", "第8页呢？"], [[1, 2, 3, 4], [8]]),
    ],
)
async def test_in_a_chat_each_question_may_name_pages(
    monkeypatch: pytest.MonkeyPatch, opened_for: str, typed: list[str], seen: list[list[int]]
) -> None:
    pages = await page_numbers()
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(typed)))
    history, screen = MemoryHistory(), io.StringIO()
    documents = [Document((image(),)), await open_document(PAPER, opened_for)]
    answerer = LocalAnswerer(Assistant(ScriptedEngine(), history), documents, opened_for)
    await converse(answerer, AnswerOutput(), Console(file=screen, width=200), "", chat=True)
    turns = (await history.load(ID)).turns
    assert [[pages[it.image.id] for it in turn.pictures if it.image.id in pages] for turn in turns] == seen
    assert [pages.get(it.id) for it in await answerer.images()] == [None, *(page for turn in seen for page in turn)]
    if [7] in seen:
        assert "Pages looked at: 7 of 9. For others, ask about “page 8”, for example." in screen.getvalue()
    if "Page 12?" in typed:
        assert "This document has 9 pages; please ask about one of them." in screen.getvalue()


async def test_a_note_is_one_line_however_narrow_the_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    paper = await open_document(pdf(["page 1", "page 2"]), "What is it?")
    written = io.StringIO()
    answerer = LocalAnswerer(Assistant(ScriptedEngine(), MemoryHistory()), [paper], "What is it?")
    await converse(answerer, AnswerOutput(), Console(file=written, width=20), "Read page 9", chat=False)
    assert written.getvalue().splitlines()[0] == "This document has 2 pages; please ask about one of them."
    assert "Read page 9" in capsys.readouterr().out


async def test_an_answer_that_begins_again_is_written_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    assistant = Assistant(Interrupted(script=lambda _: "It is red."), MemoryHistory())
    answerer = LocalAnswerer(assistant, [Document((image(),))])
    await converse(answerer, AnswerOutput(), Console(file=io.StringIO()), "What is it?", chat=False)
    lines = ["It is gr", "The model was interrupted. I begin again …", "It is red."]
    assert capsys.readouterr().out.splitlines() == lines


def test_one_ctrl_c_ends_a_prompt() -> None:
    script = """
import os, signal
from rich.console import Console
from bots.cli.answer_output import AnswerOutput
from bots.cli.ask import converse
import asyncio
signal.signal(signal.SIGINT, signal.default_int_handler)  # ours is ignored where the tests run in the background
asyncio.run(converse(None, AnswerOutput(), Console(), "", chat=True))
print("ended")
"""
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.read(2) == "? "
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
        assert process.stdout.read() == "ended\n"


def test_one_ctrl_c_ends_a_download() -> None:
    script = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ours is ignored where the tests run in the background
import bots.cli.fetch_model
def slow(name, source, revision, proxy):
    print("begun", flush=True)
    time.sleep(60)
bots.cli.fetch_model.fetch = slow
sys.argv = ["bots", "model", "fetch"]
import runpy
runpy.run_module("bots", run_name="__main__", alter_sys=True)
"""
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


DEMO_LINE = (
    "Demo model: reads printed documents, charts and shapes · how to get the real one: python -m bots model fetch"
)


@pytest.mark.parametrize("architecture", ["demo", "another"])
def test_the_reference_engine_answers_here_too(tmp_path: Path, architecture: str) -> None:
    model = "demo" if architecture == "demo" else make_other(tmp_path / "other")
    config, cache = tmp_path / "config.toml", tmp_path / "cache"
    config.write_text(
        f'[core.engine]\nmodel = "{model}"\nkind = "reference"\nthreads = 1\ncache = "{cache}"\n', "utf-8"
    )
    words = [sys.executable, "-m", "bots", "ask", "--config", str(config), str(SAMPLES / "invoice.png")]
    result = subprocess.run([*words, "What is the total?"], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    if architecture == "demo":
        assert result.stdout == "The total is ¥8,600.00.\n"
    assert (DEMO_LINE in result.stderr.splitlines()) == (architecture == "demo")
