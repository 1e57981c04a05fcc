"""Drawing is transformers' drawing: the same processors, the same numbers, with one seed the same answer."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from core.engine.generation_config import GREEDY, read_sampling
from core.engine.sampler import apply_penalties, apply_top_k_top_p, sample
from core.errors import OperatorError
from core.model.checkpoint import Checkpoint
from core.model.description import DEMO
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import ask, make_image, read

DRAWN = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "presence_penalty": 0.0, "repetition_penalty": 1.1}


@pytest.mark.parametrize(("top_k", "top_p"), [(20, 0.8), (0, 0.5), (3, 1.0), (1, 0.9), (5000, 0.01), (0, 1.0)])
def test_the_logits_that_are_left_are_those_of_transformers(top_k: int, top_p: float) -> None:
    logits = torch.randn(300, generator=torch.Generator().manual_seed(1)) * 4
    prompt, answer = torch.tensor([1, 5, 5, 299]), [7, 5, 7]
    expected, ids = logits[None], torch.tensor([[*prompt.tolist(), *answer]])
    expected = RepetitionPenaltyLogitsProcessor(1.3)(ids, expected)
    expected = TemperatureLogitsWarper(0.7)(ids, expected)
    if top_k:
        expected = TopKLogitsWarper(top_k)(ids, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(ids, expected)
    sampling = Sampling(top_k=top_k, top_p=top_p, repetition_penalty=1.3)
    found = apply_top_k_top_p(apply_penalties(logits, sampling, prompt, answer) / 0.7, sampling)
    assert torch.equal(found, expected[0])


def test_presence_is_a_penalty_on_what_was_answered_once() -> None:
    logits = torch.zeros(5)
    found = apply_penalties(logits, Sampling(presence_penalty=1.5), torch.tensor([0]), [2, 2, 4])
    assert found.tolist() == [0.0, 0.0, -1.5, 0.0, -1.5]
    assert logits.tolist() == [0.0] * 5


def test_greedy_takes_the_likeliest_after_the_penalties() -> None:
    logits = torch.tensor([1.0, 3.0, 2.9])
    greedy = Sampling(temperature=0.0, presence_penalty=0.5)
    assert sample(logits, greedy, torch.Generator(), torch.tensor([0]), []) == 1
    assert sample(logits, greedy, torch.Generator(), torch.tensor([0]), [1]) == 2


async def test_a_drawn_answer_is_the_one_that_transformers_draws(start: Start, reference: Reference) -> None:
    conversation, tokens = ask("What is it?", make_image(1)), 24
    async with start(precision="float32") as engine:
        for seed in (0, 7):
            torch.manual_seed(seed)
            inputs = reference.inputs(conversation)
            reference.model.model.rope_deltas = None
            out = reference.model.generate(
                **inputs, attention_mask=torch.ones_like(inputs["input_ids"]), do_sample=True, max_new_tokens=tokens,
                temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.1,
            )  # fmt: skip
            expected = reference.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            answer, _ = await read(engine, conversation, Sampling(**DRAWN, seed=seed, max_new_tokens=tokens))
            assert answer.text == expected


async def test_the_same_seed_gives_the_same_answer_and_none_another(start: Start) -> None:
    conversation = ask("What is it?", make_image(1))
    async with start() as engine:
        texts = []
        for seed in (3, 3, 4, None, None):
            sampling = Sampling(temperature=1.0, seed=seed, max_new_tokens=24)
            texts.append((await read(engine, conversation, sampling))[0].text)
    assert texts[0] == texts[1] != texts[2]
    assert texts[3] != texts[4]


def with_generation(tmp_path: Path, content: object) -> Checkpoint:
    folder = tmp_path / "model"
    shutil.copytree(DEMO, folder)
    (folder / "generation_config.json").write_text(json.dumps(content))
    return Checkpoint(folder)


def test_what_the_makers_say_is_the_default(tmp_path: Path) -> None:
    published = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
    sampling = read_sampling(with_generation(tmp_path, published))
    assert sampling == Sampling(
        temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05, presence_penalty=1.5, frequency_penalty=0, seed=0
    )
    asked = Sampling(temperature=0.2, seed=9).completed(sampling)
    assert (asked.temperature, asked.top_k, asked.presence_penalty, asked.seed) == (0.2, 20, 1.5, 9)


def test_makers_who_draw_nothing_are_greedy(tmp_path: Path) -> None:
    assert read_sampling(Checkpoint(DEMO)) == GREEDY
    assert read_sampling(with_generation(tmp_path, {"temperature": 0.7, "top_k": 20})) == GREEDY


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_k": "many"}, {"top_p": 7.0}, {"repetition_penalty": 0}])
def test_nonsense_in_the_makers_file_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(OperatorError, match=rf"generation_config\.json: {next(iter(wrong))} is"):
        read_sampling(with_generation(tmp_path, {"do_sample": True, **wrong}))


def test_an_answer_anew_is_drawn() -> None:
    assert Sampling().for_retry() == Sampling(temperature=0.7, seed=None)
    assert Sampling(temperature=1.2, top_k=5).for_retry() == Sampling(temperature=1.2, top_k=5, seed=None)
