"""Manage folders of computed files. Anything in their way is removed, because it can be computed again."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FOLDER_MODE = 0o700  # computed files reveal people's pictures and words
WEIGHTS_FOLDER = "weights"  # int8, by model
MODELS_FOLDER = "models"  # what identifies each
FULL = (errno.ENOSPC, errno.EDQUOT)


def make(folder: Path, below: Path) -> Path:
    """Make `folder` below a folder that the operator chose. Raises `OSError` where that is impossible.

    A full disk is no error here; it is left to whatever writes into the folder.
    """
    try:
        below.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        for path in [*reversed(folder.relative_to(below).parents), folder.relative_to(below)]:
            if not (below / path).is_dir():
                remove(below / path)
                (below / path).mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
    return folder


def remove(path: Path) -> None:
    """Remove a file, a link (never its target) or a folder with its content. Nothing to remove is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace(made: Path, path: Path) -> Path:
    """Move the file `made` to `path`, as a whole or not at all. If two processes do it, the last one wins."""
    if path.is_dir() and not path.is_symlink():
        remove(path)
    return made.replace(path)


@contextmanager
def replacing(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a new file beside `path` to be written, which then replaces it; after an error all stays as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=suffix)
    os.close(handle)
    made = Path(name)
    try:
        yield made
        replace(made, path)
    finally:
        made.unlink(missing_ok=True)
