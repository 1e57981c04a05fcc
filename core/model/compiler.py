"""Compile the kernels, native/*.c, once, and keep the libraries in a folder that only we can write."""

import hashlib
import importlib.util
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from core import cache_folder
from core.model.instruction_set import NATIVE, InstructionSet, Unavailable

log = logging.getLogger(__name__)
SOURCES = sorted(NATIVE.glob("*.[ch]"))
FLAGS = ["-O2", "-fPIC", "-shared"]
WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Compiler:
    """A C compiler of this machine. Raises `Unavailable` where there is none."""

    def __init__(self) -> None:
        self._command = _find_compiler()

    def library(self, folder: Path, instructions: InstructionSet) -> Path:
        """Return the kernels for an instruction set, compiled into `folder` by now. Raises `Unavailable`."""
        key = self._key(instructions)
        try:
            _keep_to_ourselves(folder)
            return _find(folder, key) or self._compile(folder, key, instructions)
        except OSError as error:  # no room, no right to write
            raise Unavailable(f"the kernel cannot be compiled: {error}") from error

    def _compile(self, folder: Path, key: str, instructions: InstructionSet) -> Path:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            made = Path(temporary) / "kernel.so"
            sources = [str(source) for source in SOURCES if source.suffix == ".c"]
            command = [*self._command, *FLAGS, *instructions.flags, *sources, "-o", str(made)]
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode:
                reason = done.stderr.decode(errors="replace").strip()
                raise Unavailable(f"{command[0]} cannot compile core/model/native (libc6-dev must fit): {reason}")
            made.chmod(0o600)  # independent of the umask; a library is mapped, not executed
            return cache_folder.replace(made, folder / f"{key}-{_digest(made)}.so")

    def _key(self, instructions: InstructionSet) -> str:
        """Return a digest of all that a compiled library depends on: sources, compiler and flags."""
        version = subprocess.run([*self._command, "--version"], capture_output=True, check=False).stdout
        sources = b"".join(source.read_bytes() for source in SOURCES)
        return hashlib.sha256(sources + version + " ".join([*FLAGS, *instructions.flags]).encode()).hexdigest()[:16]


def _find_compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise Unavailable("int8 weights need a C compiler once: apt-get install gcc libc6-dev, or pip install ziglang")


def _find(folder: Path, key: str) -> Path | None:
    """Return the library that an earlier start compiled, if it is undamaged and belongs to us.

    Its code runs with all our rights. A damaged library could compute garbage, or crash.
    """
    for path in folder.glob(f"{key}-*.so"):
        if not _is_ours(path):
            log.warning("%s is not ours, or others may write it: compiling it again", path)
        elif path.stem == f"{key}-{_digest(path)}":
            return path
        else:
            log.warning("%s is damaged, compiling it again", path.name)
        cache_folder.remove(path)
    return None


def _is_ours(path: Path) -> bool:
    """Return whether this is a regular file that we own and that no other user may write."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & WRITTEN_BY_OTHERS


def _keep_to_ourselves(folder: Path) -> None:
    """Forbid other users to put files into the folder or to replace ours. Raises `Unavailable` and `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & WRITTEN_BY_OTHERS:
        if found.st_uid != os.geteuid():
            raise Unavailable(f"others may write into {folder}, and it is not ours: chown it, or set another `cache`")
        folder.chmod(stat.S_IMODE(found.st_mode) & ~WRITTEN_BY_OTHERS)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
