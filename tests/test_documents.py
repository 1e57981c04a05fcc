"""The documents lead somewhere: their links, the commands that they show, and the files and tests that they name."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from bots.__main__ import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("core/**/*.md"), *ROOT.glob("training/*.md")]
NAMES = sorted(str(path.relative_to(ROOT)) for path in DOCUMENTS)
WITH_COMMANDS = [*NAMES, "Dockerfile", "compose.yaml", "config.example.toml", "docs/deploy/compose.yaml"]
WITH_COMMANDS += ["docs/deploy/kubernetes.yaml", "docs/systemd/picture-answers.service"]
FOLDERS = "bots|core|docs|storage|tests|training"
TESTS = "\n".join(f"{path}\n{path.read_text('utf-8')}" for path in sorted(ROOT.glob("tests/**/test_*.py")))


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def anchors(document: Path) -> set[str]:
    """Return what a link may name behind #: its headings, as GitHub writes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?s)```.*?```", "", document.read_text("utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_between_documents_lead_to_files_and_headings(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text_of(name)):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("name", NAMES)
def test_files_and_tests_that_a_document_names_are_there(name: str) -> None:
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text_of(name)):
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path  # core/errors is said of a module, too
    for test in re.findall(r"`(test_\w+)(?:\.py)?`", text_of(name)):
        assert re.search(rf"\bdef {test}\(", TESTS) or f"/{test}.py" in TESTS, test


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_that_a_document_shows_can_be_given(name: str) -> None:
    for shown in re.findall(r"(?:-m bots|picture-answers) ([a-z][^`\n]*)", text_of(name)):
        command: Any = typer.main.get_command(cli)
        for word in re.split(r" +(?:#|>|&)", shown)[0].split():
            if word == "…":
                break
            if subcommands := getattr(command, "commands", None):
                assert word in subcommands, shown
                command = subcommands[word]
            elif option := re.match(r"--?[a-z][a-z-]*", word):
                options = {each for parameter in command.params for each in parameter.opts}
                assert option[0] in options, shown


@pytest.mark.parametrize("name", NAMES)
def test_targets_that_a_document_makes_are_in_the_makefile(name: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of("Makefile")))
    for target in re.findall(r"(?m)(?:^ *|`)make ([a-z-]+)", text_of(name)):
        assert target in targets
