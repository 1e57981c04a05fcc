import json
import shutil
import socket
import sys
from pathlib import Path

import pytest

import core
from bots.cli.doctor import examine, judge_clock, judge_memory, judge_room
from bots.conversing.check_result import CheckResult, Level
from tests.bots.telegram.server import TOKEN, BotApi

DEMO = Path(core.__file__).parent / "demo"


async def findings(folder: Path, text: str) -> dict[str, CheckResult]:
    """By what was looked at; of several, the one that matters most."""
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    found: dict[str, CheckResult] = {}
    ranks = list(Level)
    async for finding in examine(path):
        known = found.get(finding.what)
        if known is None or ranks.index(finding.level) > ranks.index(known.level):
            found[finding.what] = finding
    return found


def config(folder: Path, more: str = "", model: str = "demo") -> str:
    return (
        f'[core.engine]\nmodel = "{model}"\ncache = "{folder}/cache"\ncache_limit = 0.1\n'
        f'[storage]\nurl = "sqlite+aiosqlite:///{folder}/db.sqlite"\n{more}'
    )


async def test_a_good_config_is_found_good(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, "[bots.web]\nport = 0\n"))
    assert {finding.what for finding in found.values() if finding.level is Level.WRONG} == set()
    assert list(found) == ["config", "clock", "database", "disk", "model", "memory", "processor", "web"]


async def test_a_bad_config_is_the_only_thing_told(tmp_path: Path) -> None:
    found = await findings(tmp_path, "[bots.web]\nprot = 1\n")
    assert found["config"].level is Level.WRONG
    assert "known are: host, port" in found["config"].text
    assert len(found) == 1


async def test_a_missing_model_is_told_with_the_way_to_fetch_it(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, model="Qwen/Qwen3-VL-2B-Instruct"))
    assert found["model"].level is Level.WRONG
    assert "python -m bots model fetch Qwen/Qwen3-VL-2B-Instruct" in found["model"].text


async def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    text = config(tmp_path).replace("db.sqlite", "config.toml/db.sqlite")
    found = await findings(tmp_path, text)
    assert found["database"].level is Level.WRONG
    assert "folder cannot be made" in found["database"].text


async def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path).replace("/cache", "/config.toml/cache"))
    assert found["disk"].level is Level.WRONG
    assert "cannot be written" in found["disk"].text


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = await findings(tmp_path, config(tmp_path, f"[bots.web]\nport = {taken.getsockname()[1]}\n"))
    assert found["web"].level is Level.WRONG
    assert "another program has it" in found["web"].text


async def test_a_page_on_ipv6_is_tried_there(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, '[bots.web]\nhost = "::1"\nport = 0\n'))
    assert "family" not in found["web"].text  # whether this machine has IPv6 or not, the question is put in it


async def test_a_page_that_is_open_to_everybody_is_noted(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, '[bots.web]\nhost = "0.0.0.0"\nport = 0\n'))
    assert found["web"].level is Level.NOTE
    assert "set token" in found["web"].text


async def test_platforms_that_cannot_be_reached_are_noted_and_so_is_an_empty_allow(tmp_path: Path) -> None:
    table = '[bots.telegram]\ntoken = "1:a"\napi_url = "http://127.0.0.1:9"\nallow = ["*"]\n'
    found = await findings(tmp_path, config(tmp_path, table))
    assert found["telegram"].level is Level.NOTE
    assert "not reached" in found["telegram"].text
    found = await findings(tmp_path, config(tmp_path, table.replace('["*"]', "[]")))
    assert "allow is empty" in found["telegram"].text


def copy_of_the_demo(folder: Path) -> Path:
    folder.mkdir()
    for file in DEMO.glob("*.*"):
        if file.suffix in (".json", ".safetensors"):
            shutil.copy(file, folder)
    return folder


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json"])
async def test_a_download_that_broke_off_is_told(tmp_path: Path, broken: str) -> None:
    model = copy_of_the_demo(tmp_path / "model")
    whole = (model / broken).read_bytes()
    (model / broken).write_bytes(whole[: len(whole) // 2])
    found = await findings(tmp_path, config(tmp_path, model=str(model)))
    assert found["model"].level is Level.WRONG
    assert "damaged" in found["model"].text
    assert "Fetch it again" in found["model"].text


async def test_a_model_of_another_kind_is_told(tmp_path: Path) -> None:
    model = copy_of_the_demo(tmp_path / "model")
    (model / "config.json").write_text(json.dumps({"model_type": "llama"}))
    found = await findings(tmp_path, config(tmp_path, model=str(model)))
    assert found["model"].level is Level.WRONG
    assert "not a Qwen3-VL model" in found["model"].text


async def test_a_model_that_is_too_large_for_the_memory_is_told_with_what_to_do(tmp_path: Path) -> None:
    model = copy_of_the_demo(tmp_path / "model")
    header = json.dumps({"x": {"dtype": "U8", "shape": [10**12], "data_offsets": [0, 10**12]}}).encode()
    with (model / "model.safetensors").open("wb") as file:  # a terabyte that takes no room
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 10**12)
    found = await findings(tmp_path, config(tmp_path, model=str(model)))
    assert found["model"].level is Level.WRONG
    assert "add memory" in found["model"].text


def test_a_wrong_clock_a_full_disk_and_too_little_memory_are_told_with_what_to_do() -> None:
    small, busy, fine = (
        judge_memory(5e9, available, total) for available, total in ((3e9, 4e9), (3e9, 8e9), (6e9, 8e9))
    )
    assert (small.level, busy.level, fine.level) == (Level.WRONG, Level.NOTE, Level.OK)
    assert "int8" in small.text
    assert "end other programs" in busy.text
    assert judge_clock(1e9).level is Level.WRONG
    assert "timedatectl" in judge_clock(1e9).text
    assert judge_clock(1.9e9).level is Level.OK
    full, tight, roomy = (judge_room(Path("/data"), free, caches=20e9) for free in (1e9, 10e9, 100e9))
    assert (full.level, tight.level, roomy.level) == (Level.WRONG, Level.NOTE, Level.OK)
    assert "make room" in full.text
    assert "cache_limit" in tight.text


async def test_a_machine_without_a_compiler_is_noted_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)  # where wheels are built there is one
    found = await findings(tmp_path, config(tmp_path))
    assert found["processor"].level is Level.NOTE
    assert "apt-get install gcc" in found["processor"].text
    assert "float16" in found["processor"].text


async def test_telegrams_token_and_settings_are_judged(tmp_path: Path) -> None:
    async with BotApi() as telegram:
        table = f'[bots.telegram]\ntoken = "{TOKEN}"\napi_url = "{telegram.url}"\nallow = "*"\n'
        path = tmp_path / "config.toml"
        path.write_text(config(tmp_path, table), "utf-8")
        good = [finding async for finding in examine(path) if finding.what == "telegram"]
        assert {finding.level for finding in good} == {Level.OK}
        assert "@picture_bot" in good[0].text
        assert "privacy mode is on" in good[1].text
        telegram.webhook = {"url": "https://elsewhere.example"}
        noted = [finding async for finding in examine(path) if finding.level is Level.NOTE]
        assert "a webhook is set" in noted[-1].text
        telegram.token_is_good = False
        found = await findings(tmp_path, path.read_text("utf-8"))
    assert found["telegram"].level is Level.WRONG
    assert "@BotFather" in found["telegram"].text
    assert TOKEN not in found["telegram"].text
