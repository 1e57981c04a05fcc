"""Remember which revision of a fetched model is used, so that the model stays the same until somebody fetches another.

It is written next to the files as a ref of the hub's own cache: refs/picture-answers names a commit, as refs/main does.
"""

from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.file_download import repo_folder_name

from core import cache_folder

REF = "picture-answers"


def find(name: str) -> Path | None:
    """Return the folder of a model by its name on the hub: its pinned revision, else the newest that was fetched."""
    for revision in (REF, None):
        try:
            path = try_to_load_from_cache(name, "config.json", revision=revision)
        except HFValidationError:
            return None
        if isinstance(path, str):
            return Path(path).parent
    return None


def commit_of(name: str) -> str | None:
    """Return the commit that a model is pinned to, if any."""
    try:
        return _ref(name).read_text("utf-8").strip() or None
    except OSError:
        return None


def pin(name: str, commit: str) -> None:
    """Use this commit of a model from now on."""
    ref = _ref(name)
    ref.parent.mkdir(parents=True, exist_ok=True)
    new = ref.with_suffix(".new")
    new.write_text(commit, "utf-8")
    cache_folder.replace(new, ref)


def _ref(name: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "refs" / REF
