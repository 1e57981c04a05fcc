"""`ask --url` against the running service: real HTTP, and the scripted engine behind it."""

import asyncio
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as PilImage
from rich.console import Console

from bots.cli.answer_output import AnswerOutput
from bots.cli.ask import converse
from bots.cli.ask_files import read_words
from bots.cli.ask_service import answer_by_service
from bots.cli.ask_settings import settings_of_options
from core.answer import Answer, Ending, Figures
from core.conversation import Conversation
from core.errors import BotError, ModelLoading, QueueFull
from core.events import Piece, Tell
from core.pictures.images import ImagesConfig
from core.sampling import Sampling
from core.settings import SHORT_ANSWER_TOKENS, ConversationSettings
from tests.bots.web.conftest import photo, service
from tests.core.papers import pdf
from tests.fakes import ScriptedEngine
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
STAMP = 'The stamp:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'
TABLE = "| Item | Price |\n|---|---|\n| Paper | 3 |\n"
Out = pytest.CaptureFixture[str]


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "red.png"
    path.write_bytes(photo("red", (200, 200)))
    return str(path)


async def ask(
    url: str,
    *words: str,
    output: AnswerOutput = AnswerOutput(),
    key: str = "",
    chat: bool = False,
    wanted: ConversationSettings = ConversationSettings(),
) -> str:
    """Ask, and return what was said on stderr."""
    screen = io.StringIO()
    console = Console(file=screen, width=300, markup=False)
    files, query = read_words(words, chat, ImagesConfig())
    async with answer_by_service(url, key, {"KEY": "a-key-of-its-own", "WRONG": "another-key"}, files, wanted) as it:
        await converse(it, output, console, query, chat)
    return screen.getvalue()


async def test_files_are_asked_about_and_nothing_is_kept(tmp_path: Path, picture: str, capsys: Out) -> None:
    (tmp_path / "paper.pdf").write_bytes(pdf(["one", "two"]))
    async with service(tmp_path, path="/pictures") as web:
        for end in ("/pictures", "/pictures/", "/pictures/v1"):
            await ask(f"{web.url}{end}", picture, str(tmp_path / "paper.pdf"), "What is it?")
            assert capsys.readouterr().out == "Answer to 'What is it?' about [1, 2, 3] after 0 turns.\n"
        assert (await web.store.summaries()).summaries == ()


async def test_the_service_answers_as_the_options_say(tmp_path: Path, capsys: Out) -> None:
    scan, engine = tmp_path / "scan.png", ScriptedEngine()
    scan.write_bytes(photo("red", (2400, 2400)))
    async with service(tmp_path, engine) as web:
        await ask(web.url, str(scan), "What is it?")
        wanted = settings_of_options(instructions="Sell bikes.", language="German", length="short", sharpness="high")
        await ask(web.url, str(scan), "What is it?", wanted=wanted)
    usual, asked = engine.asked
    assert (usual.system, asked.system) == ("", wanted.system)
    assert engine.samplings[-1].max_new_tokens == SHORT_ANSWER_TOKENS
    assert asked.pictures[0].image.width > usual.pictures[0].image.width


async def test_a_chat_goes_on_and_a_refused_question_does_not_end_it(
    tmp_path: Path, picture: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [QueueFull()]
    engine = ScriptedEngine(lambda known: refusals.pop() if refusals else f"{len(known.turns)}. {known.turns[-1].text}")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Again\nAnd now?\n"))
    async with service(tmp_path, engine) as web:
        said = await ask(web.url, picture, "First", chat=True)
    assert "Too many questions are waiting already." in said
    assert capsys.readouterr().out == "1. Again\n2. And now?\n"
    assert [[picture.number for picture in turn.pictures] for turn in engine.asked[-1].turns] == [[1], []]


async def test_in_a_chat_each_question_may_name_pages(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paper.pdf").write_bytes(pdf([f"page {number}" for number in range(1, 10)]))
    monkeypatch.setattr(sys, "stdin", io.StringIO("And page 7?\n那第8页呢？\n"))
    engine = ScriptedEngine(lambda _: STAMP.replace("The", "Picture 6: the"))
    async with service(tmp_path, engine) as web:
        wanted = AnswerOutput(boxes=tmp_path / "boxes.png")
        said = await ask(web.url, str(tmp_path / "paper.pdf"), "What is it?", output=wanted, chat=True)
    assert [[picture.number for picture in turn.pictures] for turn in engine.asked[-1].turns] == [
        [1, 2, 3, 4],
        [5],
        [6],
    ]
    assert "Pages looked at: 1-4 of 9. For others, ask about “page 5”, for example." in said
    assert "Pages looked at: 7 of 9. For others, ask about “page 8”, for example." in said
    assert "已看第 8 页（共 9 页）。要看其他页，请在提问时写明页码，例如“第9页”。" in said
    assert capsys.readouterr().out.count("the stamp") == 3
    sixth = PilImage.open(tmp_path / "boxes.png")
    assert abs(sixth.convert("L").tobytes()[5] - round(255 * 0.2)) < 3  # the shade of page 8


async def test_the_json_of_boxes_is_never_printed(tmp_path: Path, picture: str, capsys: Out) -> None:
    async with service(tmp_path, ScriptedEngine(lambda _: STAMP)) as web:
        said = await ask(web.url, picture, "Where?", output=AnswerOutput(boxes=tmp_path / "boxes.png"))
    assert capsys.readouterr().out == "The stamp:\n"
    assert "boxes.png" in said
    drawn = PilImage.open(tmp_path / "boxes.png")
    assert drawn.size == (200, 200)
    assert len(set(drawn.convert("RGB").get_flattened_data())) > 1


async def test_boxes_in_several_pictures_are_several_files(tmp_path: Path, picture: str) -> None:
    (tmp_path / "blue.png").write_bytes(photo("blue", (200, 200)))
    both = "\n".join(f"Picture {number}:\n{STAMP.partition(chr(10))[2]}" for number in (1, 2))
    async with service(tmp_path, ScriptedEngine(lambda _: both)) as web:
        words = picture, str(tmp_path / "blue.png"), "Where?"
        await ask(web.url, *words, output=AnswerOutput(boxes=tmp_path / "it.png"))
    assert sorted(name for name in os.listdir(tmp_path) if name.startswith("it")) == ["it-1.png", "it-2.png"]


async def test_tables_are_saved_as_csv(tmp_path: Path, picture: str) -> None:
    output = AnswerOutput(tables=tmp_path / "table.csv")
    async with service(tmp_path, ScriptedEngine(lambda _: TABLE)) as web:
        await ask(web.url, picture, "Table?", output=output)
    assert (tmp_path / "table.csv").read_bytes() == b"\xef\xbb\xbfItem,Price\r\nPaper,3\r\n"
    async with service(tmp_path) as web:
        said = await ask(web.url, picture, "What?", output=AnswerOutput(boxes=tmp_path / "no.png"))
    assert "points at nothing" in said
    assert not (tmp_path / "no.png").exists()


class Counts(ScriptedEngine):
    """Answers with boxes and figures, and was stopped by its limit."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        tell(Piece(STAMP))
        return Answer(STAMP, Ending.LENGTH, Figures(prompt_tokens=40, reused_tokens=30, answer_tokens=9))


async def test_everything_is_printed_as_json(tmp_path: Path, picture: str, capsys: Out) -> None:
    async with service(tmp_path, Counts()) as web:
        await ask(web.url, picture, "Where?", output=AnswerOutput(as_json=True))
    assert json.loads(capsys.readouterr().out) == {
        "answer": "The stamp:",
        "ending": "length",
        "boxes": [{"picture": None, "label": "stamp", "corners": [100, 100, 500, 500]}],
        "usage": {"prompt_tokens": 40, "cached_tokens": 30, "completion_tokens": 9},
    }


async def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path, picture: str, capsys: Out) -> None:
    async with service(tmp_path, ScriptedEngine(lambda _: "It says \x1b[2J\x9b2J nothing\x07.")) as web:
        await ask(web.url, picture, "What?")
    assert capsys.readouterr().out == "It says [2J2J nothing.\n"


async def refused(url: str, *words: str, key: str = "") -> str:
    with pytest.raises(BotError) as caught:
        await ask(url, *words, key=key)
    return str(caught.value)


async def test_the_key_comes_from_the_environment(tmp_path: Path, picture: str, capsys: Out) -> None:
    async with service(tmp_path, token="a-token-of-the-page", keys={"cli": "a-key-of-its-own"}) as web:
        await ask(web.url, picture, "What?", key="env:KEY")
        assert capsys.readouterr().out.startswith("Answer to")
        assert "needs a key" in await refused(web.url, picture, "What?")
        assert "refuses this key" in await refused(web.url, picture, "What?", key="env:WRONG")
        assert "environment variable NONE" in await refused(web.url, picture, "What?", key="env:NONE")
        assert "as env:NAME" in await refused(web.url, picture, "What?", key="a-key-of-its-own")


@pytest.mark.parametrize("error", [QueueFull(), ModelLoading("The model is being loaded. Please ask again later.")])
async def test_what_the_service_says_is_said(tmp_path: Path, picture: str, error: BotError) -> None:
    async with service(tmp_path, ScriptedEngine(lambda _: error)) as web:
        assert await refused(web.url, picture, "What?") == str(error)


async def test_a_bad_file_is_named_as_a_person_knows_it(tmp_path: Path, picture: str) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    async with service(tmp_path) as web:
        assert (await refused(web.url, picture, str(bad), "What?")).startswith(f"{bad}: This is a text file")
        assert (await refused(web.url, str(bad), "What?")).startswith("This is a text file")
        assert (await refused(web.url, str(bad), "这是什么？")).startswith("这是文本文件")


class Breaks(ScriptedEngine):
    """Fails in the middle of its answer."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        tell(Piece("It is"))
        raise QueueFull()


async def test_an_answer_that_breaks_off_says_why(tmp_path: Path, picture: str, capsys: Out) -> None:
    async with service(tmp_path, Breaks()) as web:
        assert await refused(web.url, picture, "What?") == str(QueueFull())
    assert capsys.readouterr().out == "It is\n"


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (b"", "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off"),
        (OK + b"content-length: 1000\r\n\r\ndata: {}", "broke off"),
        (OK + b"content-length: 0\r\n\r\n", "broke off"),
        (OK + b"content-length: 14\r\n\r\ndata: nothing\n", "is not this service"),
        (OK + b"content-length: 9\r\n\r\ndata: []\n", "is not this service"),
        (b"HTTP/1.1 404 No\r\ncontent-length: 6\r\n\r\n<html>", "is not this service"),
        (b"HTTP/1.1 502 No\r\ncontent-length: 2\r\n\r\n{}", "is not this service"),
        (b"HTTP/1.1 500 No\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000, "is not this service"),
    ],
)
async def test_what_is_not_the_service_gets_a_sentence(picture: str, reply: bytes, sentence: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert sentence in await refused(f"http://127.0.0.1:{port}", picture, "What?")


@pytest.mark.parametrize("url", ["127.0.0.1:5000", "ftp://a", "http://", "http://[", "http://a:b"])
async def test_an_address_that_is_none_is_told(picture: str, url: str) -> None:
    assert "--url has to be like" in await refused(url, picture, "What?")


async def test_a_service_that_does_not_run_is_told_without_its_password(picture: str) -> None:
    said = await refused(f"http://me:secret@127.0.0.1:{free_port()}", picture, "What?")
    assert said.startswith("There is no service at http://127.0.0.1:")


@pytest.mark.parametrize("words", [["-"], ["-", "-", "What?"]])
def test_stdin_holds_one_picture_and_no_chat(words: list[str]) -> None:
    with pytest.raises(BotError, match="From stdin"):
        read_words(words, False, ImagesConfig())


async def test_the_command_reads_a_picture_from_stdin_and_loads_no_torch(tmp_path: Path) -> None:
    script = "import runpy, sys, atexit; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); "
    script += "sys.argv[0] = 'bots'; runpy.run_module('bots', run_name='__main__', alter_sys=False)"
    async with service(tmp_path) as web:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, "ask", "--url", web.url, "--json", "-", "What is it?",
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await program.communicate(photo())
    assert program.returncode == 0, said
    assert json.loads(out)["answer"] == "Answer to 'What is it?' about [1] after 0 turns."
    assert said.decode().splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("option", "file", "sentence"),
    [
        ("--save-boxes", "it.jpg", "has to end in .png"),
        ("--save-tables", "it.txt", "has to end in .csv"),
        ("--save-boxes", "/no/such/it.png", "There is no folder /no/such."),
    ],
)
async def test_a_file_that_cannot_be_written_is_told_before_the_question_is_asked(
    picture: str, option: str, file: str, sentence: str
) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", "ask", "--url", "http://127.0.0.1:1", option, file, picture, "What?",
        cwd=ROOT, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await program.communicate()
    assert program.returncode == 2
    assert sentence in said.decode()
