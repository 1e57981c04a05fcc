"""The unit in docs/: what systemd says of it, and the service under the same limits, which are set by hand."""

import re
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, START_SECONDS, Host

UNIT = ROOT / "docs" / "systemd" / "picture-answers.service"
ANALYZE = shutil.which("systemd-analyze")
EXPOSURE = 25  # of 100; systemd calls it OK. Networks are open to the service, and memory may be executed
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed: its unit was not verified")

# Everything but the state folder is read-only.
READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind /
if touch /usr/written 2>/dev/null; then exit 1; fi
shift
exec "$@"
"""


def unit(folder: Path) -> Path:
    """Write the unit as it is, but with a program that is there."""
    copy = folder / UNIT.name
    program = f"ExecStart={sys.executable} -m bots run"
    lines = [program if line.startswith("ExecStart=") else line for line in UNIT.read_text("utf-8").splitlines()]
    copy.write_text("\n".join(lines) + "\n", "utf-8")
    return copy


@needs_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", str(unit(tmp_path))], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_would_complain(tmp_path: Path) -> None:
    wrong = unit(tmp_path)
    wrong.write_text(wrong.read_text("utf-8").replace("ProtectClock=yes", "ProtectClocks=yes"), "utf-8")
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", str(wrong)], capture_output=True, text=True)
    assert "ProtectClocks" in done.stderr


@needs_systemd
def test_systemd_calls_the_unit_hardened(tmp_path: Path) -> None:
    words = ["security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(unit(tmp_path))]
    done = subprocess.run([str(ANALYZE), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def setting(name: str) -> str:
    [line] = [line for line in UNIT.read_text("utf-8").splitlines() if line.startswith(f"{name}=")]
    return line.partition("=")[2]


def test_the_service_works_under_the_units_limits_and_tells_systemd(host: Host) -> None:
    read_only = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(host.folder)]
    assert [setting(name) for name in ("ProtectSystem", "NoNewPrivileges", "CapabilityBoundingSet")] == [
        "strict", "yes", "",
    ]  # fmt: skip
    drop = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    files = min(
        int(setting("LimitNOFILE")), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    )  # a container may allow less
    limits = ["prlimit", f"--nofile={files}", f"--core={setting('LimitCORE')}"]
    confined = [*read_only, *limits, *drop]
    if subprocess.run([*confined, "true"], capture_output=True).returncode:
        pytest.skip("only root may set such limits: the unit's were not tried")
    environment = {"WATCHDOG_USEC": "200000", "TMPDIR": str(host.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        address = f"@{secrets.token_hex(8)}"
        systemd.bind(f"\0{address[1:]}")
        systemd.settimeout(START_SECONDS)
        told: list[bytes] = []
        hearing = threading.Thread(target=hear, args=(systemd, told), daemon=True)
        hearing.start()
        with host.start({**environment, "NOTIFY_SOCKET": address}, under=confined) as service:
            service.until(lambda: told)
            assert told[0].startswith(b"READY=1\n")
            assert service.ask("a-key-that-nobody-guesses").status_code == 200
            service.until(lambda: told[-1].startswith(b"WATCHDOG=1\n"))
            assert re.search(rf"Max open files +{files} ", limits_of(service.process.pid))
            service.end()
            assert service.process.returncode == 0
            hearing.join(START_SECONDS)
            assert told[-1] == b"STOPPING=1"


def hear(systemd: socket.socket, told: list[bytes]) -> None:
    while not told or told[-1] != b"STOPPING=1":
        told.append(systemd.recv(4096))


def limits_of(process: int) -> str:
    return Path(f"/proc/{process}/limits").read_text("utf-8")
