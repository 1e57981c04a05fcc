"""Two services are started on one data folder."""

import subprocess

import pytest

from tests.ports import free_port
from tests.system.conftest import CONFIG, ROOT, Host

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_the_second_service_is_refused_and_a_crash_of_the_first_lets_the_next_one_start(host: Host) -> None:
    with host.start() as first:
        host.config.write_text(CONFIG.format(folder=host.folder, port=free_port()), "utf-8")
        second = subprocess.run(host.command("run"), cwd=ROOT, capture_output=True, text=True)
        assert second.returncode == 2
        assert f"process {first.process.pid} on " in second.stderr
        assert first.ask("a-key-that-nobody-guesses").status_code == 200
    host.config.write_text(CONFIG.format(folder=host.folder, port=host.port), "utf-8")
    with host.start() as third:  # the first was killed
        assert len(third.conversations()) == 1
