"""Who may know whom. Reads the imports of every file, and keeps the directions as docs/architecture.md draws them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND_LINE = ["bots/__main__.py"] + [
    f"bots/cli/{name}.py" for name in ("runner", "database_commands", "model_commands", "person_commands")
]
# These plug bots, core and storage together.
COMPOSITION_ROOTS = {
    "bots/service.py",
    "bots/config.py",
    "bots/cli/backup.py",
    "bots/cli/doctor.py",
    "bots/cli/person.py",
    "bots/cli/person_export.py",
}
LAYERS = {  # folder -> our other modules that it may import
    "bots/conversing/": {"core"},
    "bots/tasks/": {"bots.conversing", "core"},
    "bots/telegram/": {"bots.conversing", "core"},
    "bots/slack/": {"bots.conversing", "core"},
    "bots/web/": {"bots.conversing", "bots.log", "core"},
    "core/pictures/": {
        "core.work_context",
        "core.conversation",
        "core.errors",
        "core.hardware",
        "core.i18n",
        "core.image",
        "core.note",
        "core.regions",
        "core.units",
    },
    "core/remote/": {
        "core.answer",
        "core.work_context",
        "core.bounded_dict",
        "core.conversation",
        "core.engine.config",
        "core.engine.stats",
        "core.errors",
        "core.events",
        "core.image",
        "core.pictures",
        "core.pseudonym",
        "core.sampling",
        "core.thoughts",
    },
    "core/answers/": {
        "core.answer",
        "core.conversation",
        "core.errors",
        "core.i18n",
        "core.image",
        "core.pictures",
        "core.storable",
        "core.thoughts",
    },
}
TENSORS = ("core/model/", "core/engine/", "core/benchmark/")
FILES = sorted(
    str(path.relative_to(ROOT)) for folder in ("bots", "core", "storage") for path in (ROOT / folder).rglob("*.py")
)


def imports(file: str, *, deferred: bool = True) -> set[str]:
    """Dotted names of everything a file imports; without `deferred`, only what is imported with it."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    inner = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    found = set()
    for node in ast.walk(tree):
        if not deferred and id(node) in inner:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def uses(file: str, *packages: str) -> set[str]:
    return {name for name in imports(file) for package in packages if name == package or name.startswith(f"{package}.")}


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("core/")])
def test_core_knows_no_sibling_no_platform_and_no_database(file: str) -> None:
    assert not uses(file, "bots", "storage", "telegram", "slack_bolt", "slack_sdk", "fastapi", "sqlalchemy", "alembic")


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("storage/")])
def test_storage_knows_only_the_nouns_of_core(file: str) -> None:
    assert not uses(file, "bots", "core.engine", "torch", "transformers")


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("bots/")])
def test_bots_never_touch_the_model_or_the_database(file: str) -> None:
    assert not uses(file, "torch", "transformers", "sqlalchemy", "alembic")
    if file not in COMPOSITION_ROOTS:
        assert not uses(file, "storage")
        assert not uses(file, "core.engine.engine")


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(tuple(LAYERS))])
def test_a_folder_knows_only_what_lies_below_it(file: str) -> None:
    [(folder, allowed)] = [(folder, allowed) for folder, allowed in LAYERS.items() if file.startswith(folder)]
    known = {folder.strip("/").replace("/", "."), *allowed}
    modules = {name for name in imports(file) if (ROOT / f"{name.replace('.', '/')}.py").exists()}
    assert not {name for name in modules if not any(f"{name}.".startswith(f"{layer}.") for layer in known)}


def test_the_architecture_names_all_that_a_folder_may_import() -> None:
    """So that the table that people read and the one that this test keeps are the same."""
    rows = [line.split("|") for line in (ROOT / "docs/architecture.md").read_text("utf-8").splitlines()]
    layers = [(set(re.findall(r"`([^`]+)`", row[1])), row[3]) for row in rows if len(row) == 5]
    for folder, allowed in LAYERS.items():
        [written] = [right for folders, right in layers if folder in folders]
        assert set(re.findall(r"`([^`]+)`", written)) == {name.replace(".", "/") for name in allowed}, folder


@pytest.mark.parametrize(
    "file", [file for file in FILES if not file.startswith(("core/engine/", "core/model/", "core/benchmark/"))]
)
def test_torch_lives_in_the_model_the_engine_and_what_measures_them(file: str) -> None:
    assert not uses(file, "torch", "transformers")


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("core/model/")])
def test_the_model_knows_no_requests(file: str) -> None:
    assert not uses(file, "core.engine", "core.conversation", "core.image", "core.assistant")


def test_the_scheduler_decides_without_torch() -> None:
    assert not uses("core/engine/scheduler.py", "torch", "transformers")


@pytest.mark.parametrize("file", [*COMMAND_LINE, "bots/config.py", "bots/service.py", "core/engine/__init__.py"])
def test_help_and_settings_import_no_torch(file: str) -> None:
    top = imports(file, deferred=False)
    assert not {name for name in top if name.split(".")[0] in ("torch", "transformers", "sqlalchemy")}
