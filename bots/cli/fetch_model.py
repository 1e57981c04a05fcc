"""Download a model from a hub. The hubs' libraries resume downloads and obey their environment variables.

The revision is pinned: without another word a model stays what it was when it was fetched first.
"""

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from bots.config import how_to_install
from bots.conversing.proxy import Proxies, parse, without_passwords
from core.errors import OperatorError
from core.units import GIGABYTE

PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.txt"]
NEWEST = {"huggingface": "main", "modelscope": "master"}
BY_HAND = (
    "{name} could not be downloaded from {source}: {reason}. By hand: download its *.json, *.jinja, *.txt and "
    '*.safetensors files on any machine, copy them into one folder here, and set model = "/that/folder" in '
    "[core.engine]. A proxy is given with --proxy or in HTTPS_PROXY, a mirror in HF_ENDPOINT; or try --from modelscope."
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that is here. `model` is what the config calls it; `commit` is None where the hub does not tell it."""

    model: str
    folder: Path
    revision: str
    commit: str | None

    def __str__(self) -> str:
        files = [path for path in self.folder.iterdir() if _is_wanted(path.name)]
        size = sum(path.stat().st_size for path in files) / GIGABYTE
        commit = f", commit {self.commit}" if self.commit and self.commit != self.revision else ""
        return (
            f"{self.model} is here: revision {self.revision}{commit}, {len(files)} files, {size:.2f} GB, all with the "
            f"content that the hub says, in {self.folder}."
        )


def fetch(name: str, source: str, revision: str | None = None, proxy: str = "") -> Fetched:
    """Download a model and check every file. Raises `OperatorError` that says how to download it by hand.

    `revision` is a branch, a tag or a commit. By default it is the one that is pinned here, or else the newest.
    """
    _go_through(proxy)
    try:
        return _from_modelscope(name, revision) if source == "modelscope" else _from_huggingface(name, revision)
    except OperatorError:
        raise
    except Exception as error:  # the hubs raise dozens of types: network, login, disk, unknown name
        reason = without_passwords(str(error).splitlines()[0]) if str(error) else type(error).__name__
        raise OperatorError(BY_HAND, name=name, source=source, reason=reason.rstrip(".")) from error


def _go_through(proxy: str) -> None:
    """Let the hubs' libraries use a proxy. They all read the environment, and nothing else that they had in common.

    Raises `OperatorError` if it is none, or if the environment names one that is none.
    """
    if not proxy:
        Proxies()
        return
    try:
        url = parse(proxy).replace("socks5:", "socks5h:")  # which lets the proxy look names up, for all of them
    except ValueError as reason:
        raise OperatorError("--proxy is no proxy: {reason}.", reason=str(reason)) from None
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[variable] = os.environ[variable.lower()] = url
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ.pop(variable, None)


def _from_huggingface(name: str, revision: str | None) -> Fetched:
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ModuleNotFoundError:
        raise OperatorError("The hub needs packages of its own: {how}", how=how_to_install("cpu")) from None
    from core.model import pinned

    hub, asked = HfApi(), revision or pinned.commit_of(name) or NEWEST["huggingface"]
    commit = str(hub.model_info(name, revision=asked).sha)
    folder = Path(snapshot_download(name, revision=commit, allow_patterns=PATTERNS))
    checked = hub.verify_repo_checksums(name, revision=commit)
    damaged = [str(each["path"]) for each in checked.mismatches]
    for path in damaged:  # otherwise the next download takes it for good
        (folder / path).resolve().unlink(missing_ok=True)
        (folder / path).unlink(missing_ok=True)
    lacking = sorted([*damaged, *(path for path in checked.missing_paths if _is_wanted(path))])
    if lacking:
        raise OperatorError(
            "{names} did not arrive as the hub has it, and is not kept. Fetch the model again: what is whole is not "
            "downloaded twice.",
            names=", ".join(lacking),
        )
    pinned.pin(name, commit)
    return Fetched(name, folder, asked, commit)


def _from_modelscope(name: str, revision: str | None) -> Fetched:
    try:
        from modelscope import snapshot_download
    except ModuleNotFoundError:
        raise OperatorError("ModelScope needs packages of its own: {how}", how=how_to_install("modelscope")) from None
    asked = revision or NEWEST["modelscope"]
    folder = Path(snapshot_download(name, revision=asked, allow_patterns=PATTERNS))  # checks every hash itself
    return Fetched(str(folder), folder, asked, None)


def _is_wanted(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in PATTERNS)
