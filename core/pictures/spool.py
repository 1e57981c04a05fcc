"""Keep files on disk while they wait for a decoder, so that many large files take no memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO

IN_MEMORY_BYTES = 256 << 10  # smaller files stay in memory


@contextmanager
def spool(data: bytes) -> Iterator[IO[bytes]]:
    """Open a temporary file with these bytes, without a name. It is in memory when the disk is full."""
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as on_disk:
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
