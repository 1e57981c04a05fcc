"""Identify a model by a hash over its configuration, its tokenizer and every byte of its tensors.

All gigabytes are read once for it. Then the hash is remembered with the size, times and inode of each file.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from core import cache_folder
from core.model.checkpoint import Checkpoint, damaged

log = logging.getLogger(__name__)
CONFIGURATION = ("config.json", "tokenizer.json", "preprocessor_config.json")  # files that change the results, too
CHUNK_BYTES = 1 << 22
IDENTITY_DIGITS = 32  # hexadecimal
IDENTITY_FORMAT = 1  # raise it when the same tensors must get another identity


def identify(checkpoint: Checkpoint, folder: Path) -> str:
    """Return the model's identity. `folder` keeps remembered hashes. Raises `ModelMissing` if a file cannot be read."""
    digest = hashlib.sha256(f"{IDENTITY_FORMAT} {_weights(checkpoint, folder)}".encode())
    for name in CONFIGURATION:
        path = checkpoint.folder / name
        digest.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"-").digest())
    return digest.hexdigest()[:IDENTITY_DIGITS]


def _weights(checkpoint: Checkpoint, folder: Path) -> str:
    """Return the hash over all tensors, remembered unless a file has changed."""
    key = hashlib.sha256(str(checkpoint.folder.resolve()).encode()).hexdigest()[:IDENTITY_DIGITS]
    note, seen = folder / f"{key}.json", checkpoint.stamps()
    known = _read(note)
    if known.get("files") == seen and known.get("format") == IDENTITY_FORMAT and isinstance(known.get("weights"), str):
        return str(known["weights"])
    log.info("reading %s once to identify it", checkpoint.folder)
    try:
        weights = _hash(checkpoint)
    except OSError as error:
        raise damaged(checkpoint.folder, error) from error
    if checkpoint.stamps() == seen:  # no file was written while it was read
        _write(note, {"format": IDENTITY_FORMAT, "files": seen, "weights": weights})
    return weights


def _hash(checkpoint: Checkpoint) -> str:
    """Hash the tensors in the order of their names, so that it does not matter how files divide them."""
    tensors = {}
    for path, places in checkpoint.layout():
        with path.open("rb") as file:
            for place in places:  # in their order on the disk
                digest = hashlib.sha256(f"{place.name} {place.kind} {place.shape} ".encode())
                file.seek(place.start)
                left = place.stop - place.start
                while left > 0:
                    part = file.read(min(left, CHUNK_BYTES))
                    if not part:
                        raise OSError(f"{path.name} became shorter while it was read")
                    digest.update(part)
                    left -= len(part)
                tensors[place.name] = digest.digest()
    return hashlib.sha256(b"".join(tensors[name] for name in sorted(tensors))).hexdigest()


def _read(note: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(note.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _write(note: Path, known: dict[str, Any]) -> None:
    """Remember a hash. Otherwise it is computed again."""
    try:
        note.parent.mkdir(mode=cache_folder.PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        with cache_folder.replacing(note) as unfinished:
            unfinished.write_text(json.dumps(known), "utf-8")
    except OSError as error:
        log.warning("the model is read again at the next start: %s", error)
