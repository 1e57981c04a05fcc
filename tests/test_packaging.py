"""What the code imports is declared in pyproject.toml, in the part that needs it, and nothing else is."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from bots.config import PLATFORMS, platform
from bots.service import ENGINE_PACKAGES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OWN = {"bots", "core", "storage", "tests", "training"}
PARTS = {  # folder -> the optional part that its files may use
    "bots/telegram/": "telegram",
    "bots/slack/": "slack",
    "core/engine/": "cpu",
    "core/model/": "cpu",
    "core/benchmark/": "cpu",
    "core/remote/": "remote",
}
DEFERRED = {  # imported where an operator asked for it, with a sentence when it is missing
    "huggingface-hub": "bots/cli/",  # fetching, and what the doctor says of it once a model is looked for
    "modelscope": "bots/cli/fetch_model.py",
}
NAMED_ONLY = {  # used by the name that a library asks for, and imported by that library
    "accelerate", "aiosqlite", "asyncpg", "pillow-heif", "python-multipart", "aiohttp", "pysocks", "socksio",
}  # fmt: skip


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement)[0].lower().replace("_", "-")


def declared(part: str | None = None) -> set[str]:
    requirements = PROJECT["optional-dependencies"][part] if part else PROJECT["dependencies"]
    return {name_of(requirement) for requirement in requirements}


@cache
def distributions() -> dict[str, set[str]]:
    """Module -> the distributions that bring it."""
    found = importlib.metadata.packages_distributions()
    return {module: {name.lower().replace("_", "-") for name in names} for module, names in found.items()}


def imported(file: Path) -> set[str]:
    """Distributions of a file's imports; one of several that bring the same module."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        for module in {name.partition(".")[0] for name in modules} - OWN - sys.stdlib_module_names:
            found.add(min(distributions().get(module, {module.lower().replace("_", "-")})))
    return found


def test_what_is_imported_is_declared_where_it_is_used() -> None:
    undeclared = {}
    for folder in ("bots", "core", "storage"):
        for file in (ROOT / folder).rglob("*.py"):
            path = str(file.relative_to(ROOT))
            part = next((part for start, part in PARTS.items() if path.startswith(start)), None)
            allowed = declared() | (declared(part) if part else set())
            allowed |= {name for name, start in DEFERRED.items() if path.startswith(start)}
            if missing := imported(file) - allowed:
                undeclared[path] = missing
    assert not undeclared


def test_what_is_declared_is_used() -> None:
    files = [file for folder in ("bots", "core", "storage") for file in (ROOT / folder).rglob("*.py")]
    used = set().union(*map(imported, files)) | NAMED_ONLY
    parts = [part for part in PROJECT["optional-dependencies"] if part != "all"]
    assert not set().union(declared(), *map(declared, parts)) - used


OPTIONAL = ENGINE_PACKAGES | {name: platform(f"bots.{name}").PACKAGES for name in PLATFORMS}


@pytest.mark.parametrize("part", [part for part, packages in OPTIONAL.items() if packages])
def test_a_part_counts_as_installed_when_all_that_it_declares_can_be_imported(part: str) -> None:
    found = set().union(*(distributions()[module] for module in OPTIONAL[part]))
    optional = {"huggingface-hub", "socksio"}  # for fetching a model, which says itself when they are missing
    assert found == declared(part) - optional


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_a_lock_pins_everything_with_hashes_and_names_no_index(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    pins = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert pins and all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}\n", pin, re.DOTALL) for pin in pins)
    assert "://" not in text and "--index" not in text


def test_what_is_declared_is_locked() -> None:
    def locked(file: str) -> set[str]:
        return set(re.findall(r"(?m)^([a-z0-9.-]+)==", (ROOT / file).read_text("utf-8")))

    runtime = locked("requirements.lock") | {"torch", "picture-answers"}
    parts = [part for part in PROJECT["optional-dependencies"] if part != "all"]
    assert not set().union(declared(), *map(declared, parts)) - runtime
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    for name, group in groups.items():
        assert not {name_of(requirement) for requirement in group} - locked(f"requirements-{name}.lock")
