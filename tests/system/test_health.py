"""What watches the service is told the truth: ready exactly while questions can be answered, and the reason why not."""

import os
import resource
import shutil
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, START_SECONDS, Host

KEY = "a-key-that-nobody-guesses"
BROKEN = """
import threading
run = threading.Thread.run
def broken(thread):
    if thread.name == "model":
        from core.engine.worker import ModelWorker
        def _take(worker, request):
            raise SystemExit
        ModelWorker._take = _take
    run(thread)
threading.Thread.run = broken
"""

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_a_full_disk_makes_the_service_unready_until_there_is_room_again(host: Host) -> None:
    with host.start() as service:
        assert service.client.get("/readyz").text == "ok\n"
        assert service.ask(KEY + "-1").status_code == 200
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        service.until(lambda: service.client.get("/readyz").status_code == 503)
        assert "the database does not work: " in service.client.get("/readyz").text
        refused = service.ask(KEY + "-2", name="chart")
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
        service.until(lambda: service.client.get("/readyz").status_code == 200)
        assert service.ask(KEY + "-2", name="chart").status_code == 200
        assert len(service.conversations()) == 2


def test_a_database_that_is_removed_while_the_service_runs_loses_no_acknowledged_answer(host: Host) -> None:
    database = host.folder / "answers.db"
    with host.start() as service:
        assert service.ask(KEY + "-1").status_code == 200
        os.rename(database, host.folder / "elsewhere.db")
        for number in range(8):
            assert service.ask(f"{KEY}-lost-{number}", name="chart").status_code == 503
        service.until(lambda: service.client.get("/readyz").status_code == 503)  # what it found is kept for a second
        assert "removed or replaced" in service.client.get("/readyz").text
        os.rename(host.folder / "elsewhere.db", database)
        service.until(lambda: service.client.get("/readyz").status_code == 200)
        assert service.ask(KEY + "-2", name="product").status_code == 200
        assert len(service.conversations()) == 2
    with host.start() as service:
        assert len(service.conversations()) == 2


def test_a_copy_that_is_written_over_the_database_while_the_service_runs_is_noticed(host: Host) -> None:
    database, copy = host.folder / "answers.db", host.folder / "copy.db"
    with host.start() as service:
        assert service.ask(KEY + "-1").status_code == 200
        service.end()
    shutil.copyfile(database, copy)
    with host.start() as service:
        assert service.ask(KEY + "-2", name="chart").status_code == 200
        shutil.copyfile(copy, database)
        assert service.ask(KEY + "-lost", name="product").status_code == 503
        service.until(lambda: service.client.get("/readyz").status_code == 503)  # what it found is kept for a second
        assert "removed or replaced" in service.client.get("/readyz").text
        service.end()
    shutil.copyfile(copy, database)  # now that it is stopped
    for end in ("-wal", "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)
    with host.start() as service:
        assert len(service.conversations()) == 1
        assert service.ask(KEY + "-lost", name="product").status_code == 200


def test_a_service_whose_model_dies_ends_and_the_next_one_answers_what_was_kept(host: Host) -> None:
    """The fault is put into a real process: the first question meets it in the model's thread."""
    fault = host.folder / "fault"
    fault.mkdir()
    (fault / "sitecustomize.py").write_text(BROKEN, "utf-8")
    with host.start({"PYTHONPATH": f"{fault}{os.pathsep}{ROOT}"}) as service:
        refused = service.ask(KEY)
        assert refused.status_code == 503
        assert "is kept and will be answered" in refused.text
        assert service.process.wait(START_SECONDS) == 2
        assert "the model's thread has ended" in service.log
        assert service.log.splitlines()[-1].startswith("The model has ended unexpectedly")
    with host.start() as service:
        service.until(lambda: service.conversations())
        assert service.ask(KEY).status_code == 200
        assert len(service.conversations()) == 1
