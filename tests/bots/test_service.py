"""What the service does when a part of it, or nothing of it, can work."""

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bots.config import PLATFORMS, load
from bots.conversing.services import Services
from bots.service import _keep_running, _run_adapters, _serving, open_services
from core.assistant import Assistant
from core.conversation import Question
from core.errors import OperatorError
from core.loading_engine import LoadingEngine
from core.pictures.images import make_image
from storage.lock import hold
from storage.store import Store, StoreConfig
from tests.bots import clumsy
from tests.bots.telegram.server import TOKEN, BotApi
from tests.demo import sample
from tests.fakes import ScriptedEngine

ROOT = Path(__file__).parents[2]


async def house_in(folder: Path) -> tuple[Services, Store]:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}"))
    return Services(Assistant(ScriptedEngine(), store), store), store


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The config enables nothing"),
        ("[bots.web]\nprot = 1\n", "prot is not a setting; known are: host, port"),
        (
            '[bots.web]\n[storage]\nurl = "sqlite+aiosqlite:////proc/nowhere/x.db"\n',
            "The database's folder cannot be made",
        ),
        ('[bots.telegram]\ntoken = "env:NOT_SET_ANYWHERE"\n', "NOT_SET_ANYWHERE, which is not set"),
    ],
)
def test_when_nothing_can_work_run_says_why_in_one_sentence_and_fails(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bots", "run", "--config", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    *log, said = done.stderr.splitlines()
    assert sentence in said
    assert all("INFO" in line for line in log)


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command of the service, with a database in the folder."""
    config = folder / "config.toml"
    config.write_text(
        f'[bots.web]\nport = 0\n[core.engine]\nmodel = "demo"\ncache = "{folder}/cache"\n'
        f'[storage]\nratings = true\nurl = "sqlite+aiosqlite:///{folder}/answers.db"\n',
        "utf-8",
    )
    command = [sys.executable, "-m", "bots", *words, "--config", str(config)]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


def test_a_second_service_on_the_same_database_ends_with_the_name_of_the_first(tmp_path: Path) -> None:
    with hold(f"sqlite+aiosqlite:///{tmp_path}/answers.db"):
        second = run(tmp_path, "run")
        assert second.returncode == 2
        assert f"process {os.getpid()} on {socket.gethostname()}" in second.stderr.splitlines()[-1]
        for words in (["export-feedback"], ["expire"]):
            assert run(tmp_path, *words).returncode == 0


@pytest.mark.parametrize("words", [["run"], ["export-feedback"], ["expire"], ["doctor"]])
def test_a_damaged_database_is_a_sentence_and_no_traceback(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "answers.db").write_bytes(b"SQLite format 3\0" + b"damaged" * 1000)
    done = run(tmp_path, *words)
    assert done.returncode in (1, 2)
    assert "damaged" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def web_config(folder: Path) -> Path:
    """A service with a page on any port and the demo model."""
    path = folder / "config.toml"
    path.write_text(
        f'[bots.web]\nport = 0\n[storage]\nurl = "sqlite+aiosqlite:///{folder}/answers.db"\n'
        f'[core.engine]\nmodel = "demo"\ncache = "{folder}/cache"\n',
        "utf-8",
    )
    return path


DYING = """
from core.engine.worker import ModelWorker

class Panic(BaseException):
    pass

def die(self):
    raise Panic

ModelWorker._receive = die
from bots.__main__ import cli
cli()
"""


def test_a_service_whose_model_ended_ends_so_that_it_is_started_again(tmp_path: Path) -> None:
    path = web_config(tmp_path)
    command = [sys.executable, "-c", DYING, "run", "--config", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "The model has ended unexpectedly" in done.stderr.splitlines()[-1]
    assert "Panic" in done.stderr


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("core.single_replica.SingleReplica.run", "leases"),
        ("bots.service.keep_expiring", "expiry"),
        ("bots.service.keep_watching", "the watch over health"),
    ],
)
def test_a_service_whose_part_ended_ends_so_that_it_is_started_again(tmp_path: Path, part: str, name: str) -> None:
    dying = f"""
from unittest.mock import patch
from bots.__main__ import cli

async def fails(*_):
    raise ZeroDivisionError

with patch("{part}", fails):
    cli()
"""
    command = [sys.executable, "-c", dying, "run", "--config", str(web_config(tmp_path))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"A part of the service has ended unexpectedly ({name})" in done.stderr.splitlines()[-1]
    assert "ZeroDivisionError" in done.stderr


def test_a_setting_s_old_name_is_logged_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[storage]\nurl = "sqlite+aiosqlite:////dev/null/db"\nlimit = 3\n[bots.web]\nport = 0\n', "utf-8")
    command = [sys.executable, "-m", "bots", "run", "--config", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "[storage] limit is called size_limit_gb now." in done.stderr
    assert "The database's folder cannot be made" in done.stderr.splitlines()[-1]


IMPORTING = """
import sys

class Tells:
    def find_spec(self, name, *_):
        if name == "torch._C":
            print("importing torch", file=sys.stderr, flush=True)

sys.meta_path.insert(0, Tells())
from bots.__main__ import cli
cli()
"""


def test_ctrl_c_while_the_model_is_loaded_is_no_crash(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IMPORTING, "run", "--config", str(web_config(tmp_path))]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr
        while "importing torch" not in (line := service.stderr.readline()):
            assert line, "it has ended by itself"
        service.send_signal(signal.SIGINT)
        assert all(" INFO " in line for line in service.stderr)
    assert service.returncode == 130


async def test_a_forgotten_conversation_is_in_no_file_of_the_cache_either(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[bots.web]\n[storage]\nurl = "sqlite+aiosqlite:///{tmp_path}/answers.db"\n'
        f'[core.engine]\nmodel = "demo"\nthreads = 1\ncache = "{tmp_path}/cache"\n',
        "utf-8",
    )
    async with open_services(load(path, {})) as services:
        for name in ("invoice", "product"):
            question = Question("What is it?", (await make_image(sample(name), services.images),))
            assert await services.assistant.ask(f"t:{name}", question, f"key-{name}")
        await services.assistant.forget("t:invoice")
    kept = sorted(file.name.partition("-")[0] for file in (tmp_path / "cache" / "computed").rglob("*.safetensors*"))
    assert kept == ["picture", "rows"]  # of the product


@pytest.mark.parametrize(("engine", "elsewhere"), [('model = "demo"', False), ('urls = "http://gpu1:8000/v1"', True)])
async def test_people_are_told_whether_the_model_is_elsewhere(tmp_path: Path, engine: str, elsewhere: bool) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[core.engine]\n{engine}\n[storage]\nurl = "sqlite+aiosqlite:///{tmp_path}/answers.db"\n', "utf-8")
    settings = load(path, {})
    async with _serving(settings, LoadingEngine(settings.engine.waiting)) as services:
        assert services.model.elsewhere is elsewhere


async def test_a_service_whose_only_platform_refuses_the_token_ends_with_that_sentence(tmp_path: Path) -> None:
    async with BotApi() as telegram:
        telegram.token_is_good = False
        path = tmp_path / "config.toml"
        path.write_text(f'[bots.telegram]\ntoken = "{TOKEN}"\napi_url = "{telegram.url}"\nallow = "*"\n', "utf-8")
        services, store = await house_in(tmp_path)
        try:
            with pytest.raises(OperatorError, match=r"Nothing is left to do\. .*@BotFather"):
                await _run_adapters(load(path, {}), services)
        finally:
            await store.close()


async def test_an_adapter_that_fails_is_started_again_until_its_operator_has_to_mend_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.ERROR)
    services, store = await house_in(tmp_path)
    monkeypatch.setitem(PLATFORMS, "clumsy", clumsy.__name__)
    config, name = clumsy.Config(), "bots.clumsy"
    try:
        reason = await _keep_running(name, config, services, pauses_s=(0, 0.001))
    finally:
        await store.close()
    assert config.starts == 4
    state = services.health.platforms["clumsy"]
    assert not state.up
    assert state.reason == str(reason) == "Mend the token in [bots.clumsy]."
    assert caplog.text.count("RuntimeError: a bug") == 2
    assert "is started again: The disk is full." in caplog.text


@pytest.mark.parametrize("moment", ["loading demo", "the page is at"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_service_that_is_told_to_end_has_ended_well(
    tmp_path: Path, moment: str, number: signal.Signals, status: int
) -> None:
    command = [sys.executable, "-m", "bots", "run", "--config", str(web_config(tmp_path))]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr
        while moment not in (line := service.stderr.readline()):
            assert line, "it has ended by itself"
        service.send_signal(number)
        assert "Traceback" not in service.stderr.read()
    assert service.returncode == status


def test_a_port_in_use_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = web_config(tmp_path)
        path.write_text(path.read_text("utf-8").replace("port = 0", f"port = {port}"), "utf-8")
        command = [sys.executable, "-m", "bots", "run", "--config", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be had: another program has it." in done.stderr.splitlines()[-1]
    assert "loading" not in done.stderr
    assert not (tmp_path / "answers.db").exists()
