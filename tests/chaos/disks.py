"""A real file system of its own, so small that the database and the cache share a disk that gets full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from core.disk_space import free

STEP_BYTES = 1 << 16


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Put one of so many bytes at an empty folder; say whether that was possible: only root may, and not everywhere."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    try:
        mounted = bool(size) and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            with TemporaryDirectory() as away:  # its files stay in the folder, to find causes
                shutil.copytree(folder, away, dirs_exist_ok=True)
                subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
                shutil.copytree(away, folder, dirs_exist_ok=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Somebody else takes every byte that is free there, for a while."""
    ballast = folder / "ballast"
    try:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(STEP_BYTES)) and free(folder):
                pass
        yield
    finally:
        ballast.unlink(missing_ok=True)
