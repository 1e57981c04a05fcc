"""The self-test as a command, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.selftest.tasks import TASKS
from tests.bots.cli.command import told
from tests.core.engine.tiny import make_model

ROOT = Path(__file__).parents[3]
FEW = """
import runpy
import bots.cli.selftest as own
own.TASKS = own.TASKS[:{count}]
runpy.run_module("bots", run_name="__main__")
"""


def call(folder: Path, *words: str, few: int | None = None, model: str = "demo") -> subprocess.CompletedProcess[str]:
    """Run the command with a config of its own; `few` leaves only the first tasks."""
    config = folder / "config.toml"
    config.write_text(f'[core.engine]\nmodel = "{model}"\nthreads = 1\ncache = "{folder}/cache"\n', "utf-8")
    program = ["-m", "bots"] if few is None else ["-c", FEW.format(count=few)]
    command = [sys.executable, *program, "selftest", "--config", str(config), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=560)


@pytest.mark.timeout(600)
def test_the_demo_model_passes_and_what_is_not_expected_of_it_is_said(tmp_path: Path) -> None:
    result = call(tmp_path, "--report", str(tmp_path / "report.md"))
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    right = [line for line in lines if line.startswith("right ")]
    beyond = [line for line in lines if line.startswith("wrong ") and "not expected of the demo model" in line]
    assert len(right) >= sum(task.demo for task in TASKS)
    assert len(right) + len(beyond) == len(TASKS)
    assert f"{len(right)} of {len(TASKS)} answers are right, {len(beyond)} wrong, 0 failed" in result.stdout
    assert "tokens/s; first token after" in result.stdout
    assert "peak memory" in result.stdout
    report = (tmp_path / "report.md").read_text("utf-8")
    assert all(task.question in report for task in TASKS)
    assert str(tmp_path) not in report
    assert not list((tmp_path / "cache").glob("computed/**/*.safetensors"))  # nothing is left for the next run


@pytest.mark.timeout(600)
def test_random_weights_are_wrong_break_nothing_and_end_with_status_1(tmp_path: Path) -> None:
    model = make_model(tmp_path / "random")
    result = call(tmp_path, "--report", str(tmp_path / "report.md"), few=3, model=str(model))
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout.count("a right answer: ") == 3
    assert "0 of 3 answers are right, 3 wrong, 0 failed" in result.stdout
    assert "- model random, content " in (tmp_path / "report.md").read_text("utf-8")


@pytest.mark.timeout(600)
def test_the_comparison_with_transformers_is_printed_and_reported(tmp_path: Path) -> None:
    result = call(tmp_path, "--against-reference", "--report", str(tmp_path / "report.md"), few=1)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[:4] for row in rows[1:]] == [
        [f"| {precision}", precision, "1 of 1", "1 of 1"] for precision in ("float32", "float16", "int8")
    ]
    assert all(row in (tmp_path / "report.md").read_text("utf-8") for row in rows)


def test_a_report_that_has_no_place_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    result = call(tmp_path, "--report", str(tmp_path / "none" / "report.md"))
    assert result.returncode == 2
    assert result.stderr == f"The report cannot be written to {tmp_path}/none/report.md: No such file or directory\n"


def test_a_model_that_is_not_there_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    result = call(tmp_path, "--model", "Qwen/Qwen3-VL-4B-Instruct")
    assert result.returncode == 2
    assert "python -m bots model fetch Qwen/Qwen3-VL-4B-Instruct" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_says_what_it_prints_and_what_its_exit_status_means() -> None:
    shown = told("selftest", "--help").stdout
    assert "Exit status 1" in shown
    assert all(option in shown for option in ("--model", "--against-reference", "--report", "--config"))
