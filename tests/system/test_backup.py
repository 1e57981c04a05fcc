"""A backup is made while questions are answered and forgotten, and a service that starts with it has every answer."""

import subprocess
import threading
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, Host, Service
from tests.system.small_disk import fill_up, small_disk

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
NAMES = ("invoice", "chart", "product")


def run(host: Host, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(host.command(*words), cwd=ROOT, capture_output=True, text=True)


def elsewhere(folder: Path) -> Host:
    folder.mkdir()
    return Host(folder)


class Soak:
    """Asks questions one after the other, and forgets every third conversation, until it is told to stop."""

    def __init__(self, service: Service) -> None:
        self.answers: dict[str, dict[str, object]] = {}
        self.forgotten: list[str] = []
        self.enough = threading.Event()
        self._service = service

    def run(self) -> None:
        while not self.enough.is_set():
            number = len(self.answers)
            key = f"a-key-that-nobody-guesses-{number}"
            answer = self._service.ask(key, f"What is {number}?", NAMES[number % 3]).json()
            self.answers[key] = answer
            if number % 3 == 1:
                self._service.client.delete(f"/api/v1/conversations/{answer['conversation']}").raise_for_status()
                self.forgotten.append(str(answer["conversation"]))


def test_a_backup_during_a_soak_restores_to_a_service_that_has_every_answer(host: Host, tmp_path: Path) -> None:
    with host.start() as service:
        soak = Soak(service)
        asking = threading.Thread(target=soak.run)
        asking.start()
        service.until(lambda: len(soak.answers) >= 4)
        before, gone = dict(soak.answers), list(soak.forgotten)
        made = run(host, "backup", str(tmp_path / "backup"))
        assert made.returncode == 0, made.stderr
        service.until(lambda: len(soak.answers) >= len(before) + 2)  # and it goes on
        soak.enough.set()
        asking.join()
        refused = run(host, "restore", str(tmp_path / "backup"))
        assert refused.returncode == 2
        assert f"process {service.process.pid} on " in refused.stderr
    new = elsewhere(tmp_path / "new")
    restored = run(new, "restore", str(tmp_path / "backup"))
    assert restored.returncode == 0, restored.stderr
    with new.start() as service:
        conversations = service.conversations()
        for key, answer in before.items():
            if answer["conversation"] in soak.forgotten:
                continue
            assert answer["conversation"] in conversations
            number = int(key.rpartition("-")[2])
            assert service.ask(key, f"What is {number}?", NAMES[number % 3]).json() == answer
        assert not set(gone) & set(conversations)
        assert service.ask("a-key-for-something-new").status_code == 200
    again = run(new, "restore", str(tmp_path / "backup"))
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_a_backup_to_a_full_disk_is_told_and_the_service_goes_on(host: Host, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk, host.start() as service:
        assert service.ask("a-key-that-nobody-guesses-1").status_code == 200
        fill_up(disk)
        told = run(host, "backup", str(disk / "backup"))
        assert told.returncode == 2
        assert "There is no room" in told.stderr or "the disk is full" in told.stderr
        assert [each.name for each in disk.iterdir()] == ["filler"]
        assert service.ask("a-key-that-nobody-guesses-2").status_code == 200
