"""What a decoder might do to its worker; run in one by the tests."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from core import pages, pdfium
from core.errors import TooLarge
from core.workers import Part


def echo(data: bytes, **options: object) -> list[Part]:
    print("something a library has to say")
    return [(dict(options), data), ({"pid": os.getpid()}, b"")]


def sleep(data: bytes, seconds: float) -> list[Part]:
    time.sleep(seconds)
    return []


def until(data: bytes, begun: str, path: str) -> list[Part]:
    """Leave a mark that names this process, then wait for a file."""
    Path(f"{begun} {os.getpid()}").touch()
    while not Path(path).exists():
        time.sleep(0.01)
    return [({"pid": os.getpid()}, data)]


def hang(data: bytes) -> list[Part]:
    while True:
        pass


def eat(data: bytes) -> list[Part]:
    eaten = []
    while True:
        eaten.append(bytearray(1 << 24))


def crash(data: bytes) -> list[Part]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return []


def babble(data: bytes) -> list[Part]:
    for descriptor in range(3, 10):
        try:
            os.write(descriptor, b"\0\0\0\x04nope" * 10)
        except OSError:
            continue
    return []


def stumble(data: bytes) -> list[Part]:
    raise ZeroDivisionError


def environment(data: bytes) -> list[Part]:
    return [(dict(os.environ), b"")]


def write(data: bytes, path: str) -> list[Part]:
    Path(path).write_bytes(data)
    return []


def refuse(data: bytes) -> list[Part]:
    raise TooLarge("{size} is too large", size=7)


def pages_without_system_fonts(data: bytes, **options: Any) -> list[Part]:
    """As on a machine that has none. Leaves the worker as it was."""
    folders, pdfium.SYSTEM_FOLDERS = pdfium.SYSTEM_FOLDERS, ("/nowhere",)
    pdfium.load.cache_clear()
    try:
        return pages.pdf_pages(data, **options)
    finally:
        pdfium.SYSTEM_FOLDERS = folders
        pdfium.load.cache_clear()
