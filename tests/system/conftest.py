"""Run the whole service as a process on a machine in trouble."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bots.conversing.readiness import LOADING
from tests.demo import sample
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 240.0  # the machine may be busy
CONFIG = """
[core.engine]
model = "demo"
threads = 1
cache = "{folder}/cache"
[storage]
url = "sqlite+aiosqlite:///{folder}/answers.db"
[core.quota]
questions_per_minute = 0  # a quick machine answers more
pictures_per_minute = 0
[bots.web]
port = {port}
shared_list = true
"""


def debian(path: str) -> str:
    """A program of a Debian package that `make system-packages` unpacked."""
    program = ROOT / ".venv" / "debian" / path
    if not program.is_file():
        pytest.skip(f"{program} is not there: make system-packages")
    return str(program)


@dataclass
class Service:
    """One process of the service. `log` is its output so far."""

    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + START_SECONDS
        while not true():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether the model is there. The port is open before that."""
        with suppress(httpx.TransportError):
            return not self.client.get("/readyz").text.startswith(LOADING)
        return False

    def ask(self, key: str, query: str = "What is the total?", name: str = "invoice") -> httpx.Response:
        files = {"image": (f"{name}.png", sample(name), "image/png")}
        headers = {"Idempotency-Key": key}
        return self.client.post("/api/v1/analyze", data={"query": query}, files=files, headers=headers)

    def end(self) -> None:
        """End it cleanly, so that everything is written."""
        self.process.terminate()
        self.process.wait(START_SECONDS)

    def conversations(self) -> list[str]:
        return [each["id"] for each in self.client.get("/api/v1/conversations").json()["conversations"]]


class Host:
    """Starts the service in a folder, repeatedly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(folder=folder, port=self.port), "utf-8")
        self.starts = 0

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bots", *words, "--config", str(self.config)]

    @contextmanager
    def start(
        self, environment: Mapping[str, str] = {}, wait: bool = True, under: Sequence[str] = ()
    ) -> Iterator[Service]:
        """Start the service, perhaps under another command. It is killed with -9 at the end of the block."""
        self.starts += 1
        log = self.folder / f"log-{self.starts}"
        with ExitStack() as stack:
            out = stack.enter_context(log.open("wb"))
            process = stack.enter_context(
                subprocess.Popen(
                    [*under, *self.command("run")], cwd=ROOT, env={**os.environ, **environment}, stdout=out, stderr=out
                )
            )
            stack.callback(process.kill)
            client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=START_SECONDS, trust_env=False)
            service = Service(process, stack.enter_context(client), log)
            if wait:
                service.until(service.ready)
            yield service


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)
