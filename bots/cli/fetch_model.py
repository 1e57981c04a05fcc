"""Download a model from a hub. The hubs' libraries resume downloads and obey their environment variables."""

from pathlib import Path

from bots.config import how_to_install
from core.errors import OperatorError

PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.txt"]
BY_HAND = (
    "{name} could not be downloaded from {source}: {reason}. By hand: download its *.json, *.jinja, *.txt and "
    '*.safetensors files on any machine, copy them into one folder here, and set model = "/that/folder" in '
    "[core.engine]. Behind a proxy set HTTPS_PROXY; a mirror is set with HF_ENDPOINT, or try --from modelscope."
)


def fetch(name: str, source: str) -> Path:
    """Return the folder that holds the model. Raises `OperatorError` that says how to download it by hand."""
    try:
        return _from_modelscope(name) if source == "modelscope" else _from_huggingface(name)
    except OperatorError:
        raise
    except Exception as error:  # the hubs raise dozens of types: network, login, disk, unknown name
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OperatorError(BY_HAND, name=name, source=source, reason=reason.rstrip(".")) from error


def _from_huggingface(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise OperatorError("The hub needs packages of its own: {how}", how=how_to_install("cpu")) from None
    return Path(snapshot_download(name, allow_patterns=PATTERNS))


def _from_modelscope(name: str) -> Path:
    try:
        from modelscope import snapshot_download
    except ModuleNotFoundError:
        raise OperatorError("ModelScope needs packages of its own: {how}", how=how_to_install("modelscope")) from None
    return Path(snapshot_download(name, allow_patterns=PATTERNS))
