import io
import json
import shutil
import socket
import sqlite3
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants
from PIL import ImageFont

import core
from bots.cli.doctor import examine
from bots.cli.machine import judge_clock, judge_memory, judge_room
from bots.conversing.check_result import CheckResult, Level
from core.engine.disk_cache import FILE_FORMAT
from core.model.checkpoint import Checkpoint
from core.model.identity import identify
from core.model.instruction_set import available
from core.pictures import fonts
from tests.bots.telegram.server import TOKEN, BotApi
from tests.core.engine.any_tiny import make_other

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
        f'[core.engine]\nmodel = "{model}"\ncache = "{folder}/cache"\ncache_limit_gb = 0.1\n'
        f'[storage]\nurl = "sqlite+aiosqlite:///{folder}/db.sqlite"\nforgotten = "{folder}/forgotten.txt"\n{more}'
    )


async def test_a_good_config_is_found_good(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, "[bots.web]\nport = 0\n"))
    assert {finding.what for finding in found.values() if finding.level is Level.WRONG} == set()
    assert list(found) == [
        "config",
        "clock",
        "database",
        "disk",
        "forgotten",
        "engine",
        "model",
        "memory",
        "processor",
        "fonts",
        "web",
    ]


async def test_a_setting_s_old_name_is_told(tmp_path: Path) -> None:
    text = config(tmp_path, "[bots.web]\nport = 0\n").replace("cache_limit_gb", "cache_limit")
    found = await findings(tmp_path, text)
    assert found["config"].level is Level.NOTE
    assert "cache_limit is called cache_limit_gb now" in found["config"].text


async def test_a_bad_config_is_the_only_thing_told(tmp_path: Path) -> None:
    found = await findings(tmp_path, "[bots.web]\nprot = 1\n")
    assert found["config"].level is Level.WRONG
    assert "known are: host, port" in found["config"].text
    assert len(found) == 1


async def test_a_variable_that_would_be_ignored_is_told_with_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PA_WEB_TOKEN", "hunter-22")
    found = await findings(tmp_path, config(tmp_path, "[bots.web]\nport = 0\n"))
    assert found["config"].level is Level.WRONG
    assert "PA_BOTS_WEB_TOKEN" in found["config"].text
    assert "hunter-22" not in found["config"].text
    assert len(found) == 1


async def test_a_secret_with_a_line_break_inside_is_told_without_it(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, '[bots.web]\nport = 0\ntoken = "hunter\\n22-22"\n'))
    assert found["config"].level is Level.WRONG
    assert "token" in found["config"].text
    assert "hunter" not in found["config"].text


async def test_a_config_with_a_byte_order_mark_and_line_feeds_around_secrets_is_good(tmp_path: Path) -> None:
    text = "\ufeff" + config(tmp_path, '[bots.web]\nport = 0\ntoken = "hunter-22\\n"\n')
    found = await findings(tmp_path, text)
    assert found["config"].level is Level.OK
    assert found["web"].level is Level.OK


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


async def test_a_list_of_forgotten_people_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path).replace("/forgotten.txt", "/config.toml/forgotten.txt"))
    assert found["forgotten"].level is Level.WRONG
    assert "cannot be written" in found["forgotten"].text
    (tmp_path / "forgotten.txt").write_text("somebody\n", "utf-8")
    found = await findings(tmp_path, config(tmp_path))
    assert found["forgotten"].level is Level.WRONG
    assert "cannot be read: line 1 is no entry" in found["forgotten"].text


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = await findings(tmp_path, config(tmp_path, f"[bots.web]\nport = {taken.getsockname()[1]}\n"))
    assert found["web"].level is Level.WRONG
    assert "another program has it" in found["web"].text


async def test_a_page_on_ipv6_is_tried_there(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, '[bots.web]\nhost = "::1"\nport = 0\n'))
    assert "family" not in found["web"].text  # whether this machine has IPv6 or not, the question is put in it


async def test_a_page_that_is_open_to_everybody_is_told_loudly(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path, '[bots.web]\nhost = "0.0.0.0"\nport = 0\n'))
    assert found["web"].level is Level.WRONG
    assert "OPEN TO EVERYBODY" in found["web"].text
    assert "set token" in found["web"].text


async def test_a_page_that_a_proxy_brings_to_others_is_noted_unless_it_has_a_token(tmp_path: Path) -> None:
    for setting in ('hosts = ["bot.example.org"]', 'trusted_proxies = ["10.0.0.1"]'):
        found = await findings(tmp_path, config(tmp_path, f"[bots.web]\nport = 0\n{setting}\n"))
        assert found["web"].level is Level.NOTE, setting
        assert "set token" in found["web"].text
        found = await findings(tmp_path, config(tmp_path, f'[bots.web]\nport = 0\n{setting}\ntoken = "long-enough"\n'))
        assert found["web"].level is Level.OK, setting


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
    assert judge_clock(4e9).level is Level.WRONG
    full, tight, roomy = (judge_room(Path("/data"), free, may_grow=20e9) for free in (1e9, 10e9, 100e9))
    assert (full.level, tight.level, roomy.level) == (Level.WRONG, Level.NOTE, Level.OK)
    assert "make room" in full.text
    assert "cache_limit_gb" in tight.text


async def test_a_clock_that_the_database_doubts_is_told(tmp_path: Path) -> None:
    text = config(tmp_path)
    assert (await findings(tmp_path, text))["clock"].level is Level.OK
    with sqlite3.connect(tmp_path / "db.sqlite") as database:  # as if it had been a year later once
        database.execute("DELETE FROM clock")
        year = 365 * 86_400
        database.execute(
            "INSERT INTO clock (id, seen, wall) SELECT 1, now, now FROM (SELECT unixepoch() + ? AS now)", [year]
        )
    database.close()
    found = await findings(tmp_path, text)
    assert found["clock"].level is Level.WRONG
    assert "Nothing expires until it is right" in found["clock"].text


async def test_the_databases_disk_is_looked_at_as_well_as_the_caches(tmp_path: Path) -> None:
    text = config(tmp_path).replace("db.sqlite", "database/db.sqlite")
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    folders = [finding.text for finding in [each async for each in examine(path)] if finding.what == "disk"]
    assert any(f"in {tmp_path}/database" in folder for folder in folders), folders
    assert len(folders) == 2


async def test_a_missing_cjk_font_is_told_with_what_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await findings(tmp_path, config(tmp_path)))["fonts"].level is Level.OK
    monkeypatch.setattr(fonts, "PATH", tmp_path / "none.ttf")
    found = await findings(tmp_path, config(tmp_path))
    assert found["fonts"].level is Level.WRONG
    assert "Chinese vanishes" in found["fonts"].text
    (tmp_path / "none.ttf").write_bytes(b"not a font")
    assert (await findings(tmp_path, config(tmp_path)))["fonts"].level is Level.WRONG


async def test_a_font_without_chinese_is_told_by_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillows_own = ImageFont.load_default(20)
    assert isinstance(pillows_own, ImageFont.FreeTypeFont) and isinstance(pillows_own.path, io.BytesIO)
    monkeypatch.setattr(fonts, "PATH", tmp_path / "latin.ttf")
    fonts.PATH.write_bytes(pillows_own.path.getvalue())
    found = await findings(tmp_path, config(tmp_path))
    assert found["fonts"].level is Level.WRONG
    assert "发票" in found["fonts"].text


async def test_what_would_be_fetched_is_told_with_its_size_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    name = "Qwen/Qwen3-VL-2B-Instruct"
    found = await findings(tmp_path, config(tmp_path, model=name))
    assert "about 4.3 GB of *.json, *.safetensors" in found["fetch"].text
    assert f"into {tmp_path}/hub" in found["fetch"].text
    blobs = tmp_path / "hub" / "models--Qwen--Qwen3-VL-2B-Instruct" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "half").open("wb") as file:
        file.truncate(2_000_000_000)  # takes no room
    found = await findings(tmp_path, config(tmp_path, model=name))
    assert "about 2.3 GB of" in found["fetch"].text
    assert "2.0 GB of it lie already" in found["fetch"].text
    assert "fetch" not in await findings(tmp_path, config(tmp_path, model=str(tmp_path / "nowhere")))


async def test_what_other_models_left_in_the_cache_is_told_with_its_size(tmp_path: Path) -> None:
    revision = identify(Checkpoint.find("demo"), tmp_path)
    kept = [f"computed/{revision}-float32-{FILE_FORMAT}", f"weights/{revision}-int8"]
    stale = ["computed/0123456789abcdef-int8-5", f"computed/{revision}-float32-1", "weights/0123456789abcdef-int8"]
    for name in (*kept, *stale):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        with (folder / "x.safetensors").open("wb") as file:
            file.truncate(1_000_000_000)
    found = await findings(tmp_path, config(tmp_path))
    assert found["caches"].level is Level.NOTE
    assert "3.00 GB" in found["caches"].text
    assert all(f"{tmp_path}/cache/{name}" in found["caches"].text for name in stale)
    assert not any(f"{tmp_path}/cache/{name}" in found["caches"].text for name in kept)
    for name in stale:
        shutil.rmtree(tmp_path / "cache" / name)
    assert "caches" not in await findings(tmp_path, config(tmp_path))


async def test_a_machine_without_a_compiler_is_noted_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)  # where wheels are built there is one
    found = await findings(tmp_path, config(tmp_path))
    assert found["processor"].level is Level.NOTE
    assert "apt-get install gcc" in found["processor"].text
    assert "float16" in found["processor"].text


async def test_the_kernel_that_would_be_tried_first_is_named(tmp_path: Path) -> None:
    found = await findings(tmp_path, config(tmp_path))
    assert found["processor"].level is Level.OK
    assert found["processor"].text.endswith(f"int8 with {available()[0].name}")


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


async def test_the_reference_engine_is_said_with_what_it_lacks(tmp_path: Path) -> None:
    other = make_other(tmp_path / "other")
    text = config(tmp_path, model=str(other)).replace("[storage]", 'kind = "reference"\n[storage]')
    found = await findings(tmp_path, text)
    assert found["engine"].level is Level.NOTE
    assert "one question at a time" in found["engine"].text
    assert "Qwen2_5_VLForConditionalGeneration" in found["model"].text
    (other / "config.json").write_text('{"model_type": "llama"}')
    found = await findings(tmp_path, text)
    assert found["model"].level is Level.WRONG
    assert str(other) in found["model"].text
    found = await findings(tmp_path, text.replace('kind = "ref', 'precision = "int8"\nkind = "ref'))
    assert "no int8" in found["model"].text
