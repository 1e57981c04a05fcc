"""Do to a worker what a decoder might do. The tests run these in a worker."""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import TooLarge
from core.pictures import pages, pdfium
from core.pictures.workers import Packet


def echo(data: bytes, **options: object) -> list[Packet]:
    print("something a library has to say")
    return [(dict(options), data), ({"pid": os.getpid()}, b"")]


def sleep(data: bytes, seconds: float) -> list[Packet]:
    time.sleep(seconds)
    return []


def until(data: bytes, name: str, path: str) -> list[Packet]:
    """Set this process's name, of at most 15 letters, then wait for a file. A worker can leave no other mark."""
    _call_process(name)
    while not Path(path).exists():
        time.sleep(0.01)
    _call_process("python")
    return [({"pid": os.getpid()}, data)]


def _call_process(name: str) -> None:
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)


def break_out(data: bytes, owner: int, file: str, folder: str, port: int, only: Sequence[str] = ()) -> list[Packet]:
    """Try what an attacker inside a decoder would try. Return the errors by name, or none for what succeeded."""
    library = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: int) -> None:
        if library.syscall(number, *arguments) < 0:
            raise OSError(ctypes.get_errno(), "")

    fork, execute, memory, unshare = (57, 59, 310, 272) if platform.machine() == "x86_64" else (220, 221, 270, 97)
    attempts: dict[str, Callable[[], object]] = {
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 5),
        "bind": lambda: socket.socket(socket.AF_UNIX),
        "a pair of sockets": socket.socketpair,
        "a ring": lambda: call(425, 8, 0),
        "the owner's environment": lambda: Path(f"/proc/{owner}/environ").read_bytes(),
        "the owner's memory": lambda: os.open(f"/proc/{owner}/mem", os.O_RDONLY),
        "the owner's memory by call": lambda: call(memory, owner, 0, 0, 0, 0, 0),
        "the owner's files": lambda: list(Path(f"/proc/{owner}/fd").iterdir()),
        "read the database": lambda: Path(file).read_bytes(),
        "write the database": lambda: os.open(file, os.O_WRONLY),
        "empty the database": lambda: os.truncate(file, 0),
        "remove the database": lambda: Path(file).unlink(),
        "look into its folder": lambda: os.listdir(folder),
        "make a file": lambda: Path(folder, "made").touch(),
        "make a folder": lambda: Path(folder, "made").mkdir(),
        "change rights": lambda: os.chmod(file, 0o777),
        "a signal to the owner": lambda: os.kill(owner, 0),
        "take the owner's limits": lambda: resource.prlimit(owner, resource.RLIMIT_NOFILE, (8, 8)),
        "slow the owner down": lambda: os.setpriority(os.PRIO_PROCESS, owner, 19),
        "a process": lambda: call(fork, 17, 0, 0, 0, 0),
        "a program": lambda: call(execute, 0, 0, 0),
        "namespaces": lambda: call(unshare, 0x10000000),
        "/etc/passwd": lambda: Path("/etc/passwd").read_bytes(),
        "root's rights": lambda: os.setgid(1) if os.getuid() == 0 else call(-1),
    }
    errors = {}
    for name, attempt in ((name, attempts[name]) for name in only or attempts):
        try:
            attempt()
        except OSError as error:
            errors[name] = errno.errorcode[error.errno or 0]
        else:
            errors[name] = ""
    return [(errors, b"")]


def be_useful(data: bytes, font: str) -> list[Packet]:
    """Do what a decoder needs, which must keep working."""
    threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    import wave  # a module that nothing has imported yet

    found = {"font": len(Path(font).read_bytes()), "cores": os.cpu_count(), "module": wave.__name__}
    return [(found, os.urandom(8))]


def hang(data: bytes) -> list[Packet]:
    while True:
        pass


def eat(data: bytes) -> list[Packet]:
    eaten = []
    while True:
        eaten.append(bytearray(1 << 24))


def crash(data: bytes) -> list[Packet]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return []


def babble(data: bytes) -> list[Packet]:
    for descriptor in range(3, 10):
        try:
            os.write(descriptor, b"\0\0\0\x04nope" * 10)
        except OSError:
            continue
    return []


def stumble(data: bytes) -> list[Packet]:
    raise ZeroDivisionError


def environment(data: bytes) -> list[Packet]:
    return [(dict(os.environ), b"")]


def write(data: bytes, path: str) -> list[Packet]:
    Path(path).write_bytes(data)
    return []


def refuse(data: bytes) -> list[Packet]:
    raise TooLarge("{size} is too large", size=7)


def pages_without_system_fonts(data: bytes, **options: Any) -> list[Packet]:
    """Render pages as on a machine without fonts, and leave the worker as it was."""
    folders, pdfium.SYSTEM_FOLDERS = pdfium.SYSTEM_FOLDERS, ("/nowhere",)
    pdfium.load.cache_clear()
    try:
        return pages.pdf_pages(data, **options)
    finally:
        pdfium.SYSTEM_FOLDERS = folders
        pdfium.load.cache_clear()


def take_and_free(data: bytes, megabytes: int) -> list[Packet]:
    """Take and free memory several times, as decoding does.

    Return how many more megabytes the process has afterwards.
    """

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    for _ in range(3):
        first = bytearray(b"1") * (megabytes << 20)
        small = bytearray(b"1") * (200 << 10)
        del first
    more = resident() - before
    del small
    return [({"more": more >> 20}, b"")]
