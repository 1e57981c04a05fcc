"""The comparison with transformers, of the demo model: it finds them equal, and sees what is not."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from torch import Tensor

from core.benchmark import against_reference
from core.benchmark.against_reference import Fidelity, check, compare
from core.conversation import Conversation
from core.engine import EngineConfig, Precision
from core.engine.prompt import Prompt, Prompter
from core.errors import OperatorError
from core.model.rotary import Rotation
from core.pictures.images import ImagesConfig
from core.selftest.report import fidelity_table
from core.selftest.results import load_pictures, start_conversation
from core.selftest.tasks import TASKS

pytestmark = pytest.mark.timeout(600)  # loads five models
ASKED = [task for task in TASKS if task.kind in ("invoice", "comparison")][1:3]  # in Chinese, and two pictures


async def questions() -> list[Conversation]:
    pictures = await load_pictures(ASKED, ImagesConfig())
    return [start_conversation(task, pictures) for task in ASKED]


async def test_each_precision_is_compared_and_the_demo_says_the_same_in_all(tmp_path: Path) -> None:
    found = list(compare(EngineConfig(model="demo", cache=tmp_path), await questions()))
    assert [each.precision for each in found] == [Precision.FLOAT32, Precision.FLOAT16, Precision.INT8]
    assert all(each.used is each.precision for each in found)
    assert all(each.questions == each.same_prompts == each.same_answers == len(ASKED) for each in found)
    assert all(each.same_top == 1.0 for each in found)
    exact, half, eighth = found
    assert abs(exact.kl) < 1e-9
    assert exact.largest < 1e-3 < half.largest < eighth.largest
    assert exact.kl < half.kl < eighth.kl < 0.02
    assert fidelity_table(found).count("2 of 2") == 6


async def test_another_prompt_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Prompter.write

    def write_another(prompter: Prompter, asked: Conversation, tokens: int) -> Prompt:
        turn = asked.turns[-1]
        return write(prompter, replace(asked, turns=(replace(turn, text=f"{turn.text} "),)), tokens)

    monkeypatch.setattr(against_reference, "PRECISIONS", (Precision.FLOAT32,))
    monkeypatch.setattr(Prompter, "write", write_another)
    [found] = compare(EngineConfig(model="demo", cache=tmp_path), await questions())
    assert found.same_prompts == 0


async def test_a_fault_in_the_forward_pass_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = Rotation.of

    def turned_back(angles: Tensor, scale: float = 1.0) -> Rotation:
        return of(-angles, scale)

    monkeypatch.setattr(against_reference, "PRECISIONS", (Precision.FLOAT32,))
    monkeypatch.setattr(Rotation, "of", turned_back)
    [found] = compare(EngineConfig(model="demo", cache=tmp_path), await questions())
    assert found.same_prompts == found.questions
    assert found.same_answers < found.questions
    assert found.same_top < 1.0
    assert found.kl > 0.02


def test_without_memory_for_float32_it_is_refused_before_anything_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    config = EngineConfig(model="demo")
    free = SimpleNamespace(available=1_700_000_000, total=8e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    check(config)
    free.available = 1_500_000_000
    with pytest.raises(OperatorError, match=r"needs about 1.6 GB of memory for this model; 1.5 GB are free"):
        check(config)


def test_a_precision_that_this_machine_lacks_is_named_with_what_was_used_instead() -> None:
    found = Fidelity(Precision.INT8, Precision.FLOAT16, 4, 4, 4, 1.0, 1e-8, 0.01)
    assert fidelity_table([found]).splitlines()[-1].startswith("| int8 | float16 | 4 of 4 |")
