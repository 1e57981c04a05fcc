"""Keeps what was sent on disk while it waits for a decoder: a crowd of large files in line takes no memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO

MEMORY_BYTES = 256 << 10  # smaller files stay in memory


@contextmanager
def spool(data: bytes) -> Iterator[IO[bytes]]:
    """Open a file with these bytes that stands in no folder. Where the disk is full it is in memory."""
    with SpooledTemporaryFile(max_size=MEMORY_BYTES) as on_disk:
        file: IO[bytes] = on_disk
        try:
            file.write(data)
            file.flush()
        except OSError:
            file = BytesIO(data)
        del data
        yield file


def size(file: IO[bytes]) -> int:
    return file.seek(0, 2)


def contents(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
