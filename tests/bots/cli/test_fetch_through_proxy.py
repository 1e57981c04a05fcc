"""A model is fetched from a hub of our own on loopback, through a proxy that alone knows it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.bots.cli.hub import Hub, serve
from tests.proxy_server import ProxyServer

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[3]
HOST = "hub.test"
NAME = "somebody/something"
COMMIT = "a" * 40
FILES = {"config.json": b'{"model_type": "qwen3_vl"}', "model.safetensors": bytes(100_000)}


async def fetch(folder: Path, endpoint: str, *words: str, **environment: str) -> tuple[int, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    own = {"HF_HOME": str(folder), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "model", "fetch", NAME, *words),
        cwd=ROOT,
        env=inherited | own | environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.parametrize("scheme", ["socks5", "http"])
@pytest.mark.parametrize("source", ["option", "ALL_PROXY"])
async def test_a_model_is_fetched_through_a_proxy(scheme: str, source: str, tmp_path: Path) -> None:
    with serve(Hub(NAME, {COMMIT: FILES}, {"main": COMMIT})) as hub:
        async with ProxyServer(("ann", "hush")) as proxy:
            url = proxy.url("socks5h" if scheme == "socks5" and source != "option" else scheme)
            given = (["--proxy", url], {}) if source == "option" else ([], {source: url})
            status, said = await fetch(tmp_path, hub.url.replace("127.0.0.1", HOST), *given[0], **given[1])
            assert status == 0, said
            assert {host for _, host in proxy.carried} == {HOST}
    assert await asyncio.to_thread(_fetched, tmp_path) == FILES
    assert "hush" not in said


def _fetched(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("snapshots/*/*")}


@pytest.mark.parametrize(
    "given", [["--proxy", "socks4://ann:hush@127.0.0.1:1"], ["--proxy", "http://ann:hush@127.0.0.1:9"]]
)
async def test_a_proxy_that_does_not_work_is_told_in_a_sentence_without_its_password(
    given: list[str], tmp_path: Path
) -> None:
    status, said = await fetch(tmp_path, f"http://{HOST}", *given)
    assert status == 2
    assert "roxy" in said
    assert "Traceback" not in said
    assert "hush" not in said


async def test_a_variable_that_names_no_proxy_is_told(tmp_path: Path) -> None:
    status, said = await fetch(tmp_path, f"http://{HOST}", ALL_PROXY="socks5://")
    assert status == 2
    assert "The environment variable ALL_PROXY names no proxy" in said
