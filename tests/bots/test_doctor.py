import socket
from pathlib import Path

from bots.doctor import examine
from bots.finding import Finding, Level


async def findings(folder: Path, text: str) -> dict[str, Finding]:
    """By what was looked at; of several, the one that matters most."""
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    found: dict[str, Finding] = {}
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
    assert "in use" in found["web"].text


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
