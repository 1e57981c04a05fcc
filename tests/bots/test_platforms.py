"""A platform is one package and one line of registration: `tests/bots/echo`, of which no product code knows."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots import web
from bots.cli.doctor import examine
from bots.config import PLATFORMS, Settings, load, platform
from bots.conversing.check_result import Level
from bots.conversing.services import Services
from bots.service import _keep_running
from core.assistant import Assistant
from core.errors import OperatorError
from storage.store import Store, StoreConfig
from tests.bots import echo
from tests.bots.web.conftest import photo
from tests.fakes import ScriptedEngine

PLATFORM_NAMES = list(PLATFORMS)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLATFORMS, "echo", echo.__name__)


def written(folder: Path, text: str, **environment: str) -> Settings:
    (folder / "config.toml").write_text(text, "utf-8")
    return load(folder / "config.toml", environment)


@asynccontextmanager
async def running(folder: Path, settings: Settings) -> AsyncIterator[tuple[Services, str]]:
    """The platform as the service runs it, beside the web page; its address."""
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}"))
    services = Services(Assistant(ScriptedEngine(), store), store)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tasks = [
        asyncio.create_task(web.run(web.Config(port=0), services, address.set_result)),
        asyncio.create_task(_keep_running("bots.echo", settings.platforms["bots.echo"], services)),
    ]
    try:
        yield services, await address
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()


class Person:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    @asynccontextmanager
    async def connected(socket: str) -> "AsyncIterator[Person]":
        while not os.path.exists(socket):  # noqa: ASYNC240 - it is being started
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(socket)
        try:
            yield Person(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def ask(self, text: str, picture: Path | str = "", who: str = "ANN") -> Any:
        self._writer.write(json.dumps({"who": who, "text": text, "picture": str(picture)}).encode() + b"\n")
        return json.loads(await self._reader.readline())


@pytest.mark.usefixtures("registered")
async def test_a_question_on_a_new_platform_is_answered_and_its_commands_are_carried_out(tmp_path: Path) -> None:
    picture, socket = tmp_path / "a.png", str(tmp_path / "socket")
    picture.write_bytes(photo())
    settings = written(tmp_path, f'[bots.echo]\nsocket = "{socket}"\nadmins = ["BOSS"]\n')
    assert settings.adapters == ("bots.echo",)
    async with running(tmp_path, settings) as (services, _), Person.connected(socket) as ann:
        said = (await ann.ask("What is it?", picture))["text"]
        assert said.startswith("Answer to 'What is it?' about [1] after 0 turns.")
        assert (await ann.ask("And now?"))["text"].startswith("Answer to 'And now?' about [] after 1 turns.")
        help_ = (await ann.ask("!help"))["text"].splitlines()
        assert help_[0] == "Send a picture with your question."
        assert {"!new – Begin a new conversation", "!remove 2 – Remove a picture"} <= set(help_)
        assert not any(line.startswith(("!export", "!stats")) for line in help_)
        assert (await ann.ask("!block EVE"))["text"] == "Only this bot's admins may do that."
        assert "!unblock EVE takes it back." in (await ann.ask("!block EVE", who="BOSS"))["text"]
        assert (await ann.ask("!block 12", who="BOSS"))["text"] == "Say who, by name."
        assert (await ann.ask("!new"))["text"].startswith("This is a new conversation.")
        assert (await ann.ask("What is it?", picture))["text"].startswith("Answer to 'What is it?' about [1] after 0")
        assert (await ann.ask("!forget"))["text"].startswith("Forgotten")
        assert not (await services.store.load("echo:chat")).turns


@pytest.mark.usefixtures("registered")
async def test_the_health_of_a_new_platform_is_shown(tmp_path: Path) -> None:
    socket = str(tmp_path / "socket")
    settings = written(tmp_path, f'[bots.echo]\nsocket = "{socket}"\n')
    async with (
        running(tmp_path, settings) as (_, address),
        Person.connected(socket),
        httpx.AsyncClient(timeout=60) as client,
    ):
        assert (await client.get(f"{address}/readyz")).text == "ok\n"
        assert 'picture_answers_platform_up{platform="echo"} 1.0' in (await client.get(f"{address}/metrics")).text
    (tmp_path / "again").mkdir()
    nowhere = written(tmp_path, f'[bots.echo]\nsocket = "{tmp_path}/no/folder"\n')
    async with running(tmp_path / "again", nowhere) as (services, address), httpx.AsyncClient(timeout=60) as client:
        while services.health.platforms.get("echo") is None or services.health.platforms["echo"].up:
            await asyncio.sleep(0.01)
        ready = await client.get(f"{address}/readyz")
        assert ready.status_code == 200  # the page answers all the same
        assert "echo is down: The socket cannot be made" in ready.text
        assert 'picture_answers_platform_up{platform="echo"} 0.0' in (await client.get(f"{address}/metrics")).text


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[bots.echo]\n", r"\[bots.echo\] socket is missing"),
        ('[bots.echo]\nsocket = "/a"\nport = 1\n', r"\[bots.echo\] port is not a setting; known are: socket, admins"),
        ("[bots.ehco]\n", r"there is no table \[bots.ehco\]; known are: .*\[bots.echo\]"),
    ],
)
def test_the_settings_of_a_new_platform_are_checked(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence):
        written(tmp_path, text)


@pytest.mark.usefixtures("registered")
def test_the_settings_of_a_new_platform_come_from_the_environment_too(tmp_path: Path) -> None:
    settings = written(tmp_path, "[bots.echo]\n", PA_BOTS_ECHO_SOCKET="/a/b")
    assert settings.platforms["bots.echo"].socket == "/a/b"


@pytest.mark.usefixtures("registered")
def test_what_a_new_platform_needs_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "PACKAGES", ("no_package_of_this_name",))
    with pytest.raises(OperatorError, match=r"\[bots.echo\] needs packages .*pip install '.*\[echo\]'"):
        written(tmp_path, '[bots.echo]\nsocket = "/a"\n')


@pytest.mark.usefixtures("registered")
async def test_the_doctor_asks_a_new_platform(tmp_path: Path) -> None:
    def table(socket: str) -> str:
        database = f'[storage]\nurl = "sqlite+aiosqlite:///{tmp_path}/db.sqlite"\n'
        return f'[core.engine]\nmodel = "demo"\ncache = "{tmp_path}"\n{database}[bots.echo]\nsocket = "{socket}"\n'

    for socket, level, text in (
        ("/a/b", Level.OK, "people connect to /a/b"),
        ("a", Level.WRONG, "socket in [bots.echo] is no whole path."),
    ):
        (tmp_path / "config.toml").write_text(table(socket), "utf-8")
        found = [finding async for finding in examine(tmp_path / "config.toml")]
        assert [(each.level, each.text) for each in found if each.what == "echo"] == [(level, text)]


def test_what_is_not_registered_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"there is no table \[bots.echo\]"):
        written(tmp_path, '[bots.echo]\nsocket = "/a"\n')


@pytest.mark.parametrize("name", PLATFORM_NAMES)
def test_a_registered_package_has_all_that_a_platform_needs(name: str) -> None:
    package = platform(f"bots.{name}")
    assert callable(package.run) and callable(package.examine)
    assert package.Config.model_config["extra"] == "forbid"
    assert all(field.description for field in package.Config.model_fields.values())
    assert isinstance(package.PACKAGES, tuple)
