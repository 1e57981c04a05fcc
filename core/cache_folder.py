"""The folder of what can be computed again. Whatever stands in the way there is removed: it is nobody's original."""

import errno
import shutil
from pathlib import Path

PRIVATE_FOLDER = 0o700  # pictures and words can be read out of what was computed of them
FULL = (errno.ENOSPC, errno.EDQUOT)


def make(folder: Path, below: Path) -> Path:
    """Make `folder`, which lies `below` one that the operator chose. A full disk is left to who writes into it.

    Raises `OSError` where nothing can be made.
    """
    try:
        below.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for path in [*reversed(folder.relative_to(below).parents), folder.relative_to(below)]:
            if not (below / path).is_dir():
                remove(below / path)
                (below / path).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
    return folder


def remove(path: Path) -> None:
    """Remove a file, a link (never what it points to), or a folder with all that it holds; none is fine, too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace(made: Path, path: Path) -> Path:
    """Put the file `made` at `path`, whole or not at all; of two processes the last one wins."""
    if path.is_dir() and not path.is_symlink():
        remove(path)
    return made.replace(path)
