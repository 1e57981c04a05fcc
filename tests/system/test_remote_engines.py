"""The model at an engine that is not ours: transformers' own server, with the demo model."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from core.engine import EngineConfig
from core.remote.checkup import examine
from core.remote.engine import RemoteEngine
from tests.demo import directly, sample
from tests.ports import free_port
from tests.system.conftest import ROOT

MODEL = str(ROOT / "core" / "demo")
pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the server, and return its address once it answers."""
    port, folder = free_port(), tmp_path_factory.mktemp("hub")
    environment = {**os.environ, "HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.system.transformers_serve", "serve", MODEL, "--device", "cpu"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _until_it_answers(server, f"http://localhost:{port}/v1", folder / "log")
        yield f"http://localhost:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _until_it_answers(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    with httpx.Client(trust_env=False) as client:
        while True:
            assert server.poll() is None, log.read_text("utf-8")
            with suppress(httpx.TransportError):
                assert client.get(f"{url}/models").status_code == 200
                return
            time.sleep(0.2)


async def test_transformers_own_server_answers_about_pictures(url: str) -> None:
    engine = await RemoteEngine.start(EngineConfig(urls=(url,), model=MODEL))
    try:
        total, rate = await directly(
            engine, ("What is the total?", (sample("invoice"),)), ("What is the tax rate?", ())
        )
    finally:
        await engine.close()
    assert "8,600.00" in total and "13" in rate


async def test_the_doctor_finds_it_good(url: str) -> None:
    findings = [finding async for finding in examine(url, EngineConfig(urls=(url,), model=MODEL))]
    assert all(is_right for is_right, _ in findings), findings
