"""What goes wrong with one question is that question's alone: the others get the answers that they would have got."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.answer import Answer
from core.conversation import Conversation
from core.engine.cache import Cache
from core.engine.engine import Engine
from core.engine.request import EngineRequest
from core.engine.sampler import sample
from core.engine.tokenizer import Detokenizer, Tokenizer
from core.engine.worker import ModelWorker
from core.errors import Busy, OutOfMemory, Unanswerable
from core.events import Event, Looking
from core.image import Image
from core.model.checkpoint import Checkpoint
from core.model.kernel import Kernel, load
from core.model.kv import KV
from core.model.model import ForwardInput, Model
from core.model.pack import RaggedBatch, Segment
from core.model.precision import Precision
from core.model.quantize import Int8Linear, quantize
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import ask, make_image, make_model, picture, read
from tests.writing import hang_up, writing

BAD = "~"  # a token whose embedding is no number
GREEDY, DRAWN = (Sampling(max_new_tokens=12, temperature=temperature) for temperature in (0.0, 0.9))
PRECISIONS = ["float32", "float16", "int8"]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that computes NaN for texts with a certain character, and infinity for a stark contrast in a corner."""
    folder = make_model(tmp_path_factory.mktemp("broken"))
    weights = load_file(folder / "model.safetensors")
    embedding = "model.language_model.embed_tokens.weight"
    (token,) = Tokenizer(folder).encode(BAD)
    head = weights[embedding].clone()
    head[token] = 0.0
    weights[embedding][token] = torch.nan
    patches = weights["model.visual.patch_embed.proj.weight"]  # (hidden, channels, frames, height, width)
    patches[0, 0, 0, 0, 0], patches[0, 0, 0, 0, 1] = 3e38, -3e38
    save_file(weights | {"lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})
    return folder


def white(stark: bool = False) -> Image:
    """Each pixel is exactly 1 to the model; `stark`: but for one."""
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[0, 1] = 0 if stark else 255
    return picture(pixels)


async def outcome(engine: Engine, conversation: Conversation, sampling: Sampling) -> Answer | BaseException:
    try:
        return (await asyncio.wait_for(read(engine, conversation, sampling), 60))[0]
    except Exception as error:
        return error


async def together(
    engine: Engine, conversations: list[Conversation], sampling: Sampling
) -> list[Answer | BaseException]:
    return list(await asyncio.gather(*[outcome(engine, each, sampling) for each in conversations]))


def texts(outcomes: list[Answer | BaseException]) -> list[str | None]:
    return [each.text if isinstance(each, Answer) else None for each in outcomes]


def in_conversations(*conversations: Conversation) -> list[Conversation]:
    return [replace(each, id=f"test:{number}") for number, each in enumerate(conversations)]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
async def test_a_question_without_numbers_fails_alone_with_a_sentence(
    start: Start, broken: Path, precision: str, sampling: Sampling, caplog: pytest.LogCaptureFixture
) -> None:
    good = in_conversations(*[ask(f"Question {number}?") for number in range(3)])
    bad = replace(ask(f"What is {BAD}?"), id="test:bad")
    async with start(model=str(broken), precision=precision, cache_limit_gb=0) as engine:
        alone = [await outcome(engine, each, GREEDY) for each in good]
    async with start(model=str(broken), precision=precision, cache_limit_gb=0) as engine:
        *answers, failed = await together(engine, [*good, bad], sampling)
        again = await together(engine, good, GREEDY)
    assert isinstance(failed, Unanswerable)
    assert "in other words" in str(failed)
    assert all(isinstance(answer, Answer) and answer.text for answer in answers)
    assert texts(again) == texts(alone)
    if sampling is GREEDY:
        assert texts(answers) == texts(alone)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("precision", PRECISIONS)
async def test_what_was_computed_for_it_is_not_kept(start: Start, broken: Path, tmp_path: Path, precision: str) -> None:
    first = ask("What is it?", white())
    async with start(model=str(broken), precision=precision) as engine:
        answer, _ = await read(engine, first, GREEDY)
        bad = ask(f"And {BAD}?", after=first, answer=answer)
        for _ in range(2):  # the second would begin with what the first has left
            assert isinstance(await outcome(engine, bad, GREEDY), Unanswerable)
        good = ask("And its colour?", after=first, answer=answer)
        found = await outcome(engine, good, GREEDY)
    async with start(model=str(broken), precision=precision, cache=tmp_path / "other") as engine:
        expected = await outcome(engine, good, GREEDY)
    assert texts([found]) == texts([expected]) != [None]


async def test_a_picture_without_numbers_fails_alone_and_is_not_kept(
    start: Start, broken: Path, tmp_path: Path
) -> None:
    fine, stark = white(), white(stark=True)
    question = ask("What is it?", fine)
    async with start(model=str(broken), cache=tmp_path / "alone") as engine:
        alone = await outcome(engine, question, GREEDY)
    async with start(model=str(broken)) as engine:
        both = in_conversations(question, ask("What is it?", stark))
        answer, failed = await together(engine, both, GREEDY)
        assert isinstance(failed, Unanswerable)
        assert texts([answer]) == texts([alone]) != [None]
        heard: list[Event] = []
        with suppress(Unanswerable):
            await engine.answer(both[1], GREEDY, heard.append)
        assert heard[0] == Looking(1, 1)  # once more, from the beginning
    names = {path.stem for path in (tmp_path / "cache").rglob("picture-*")}
    assert names == {f"picture-{fine.id}"}


class Hand(ModelWorker):
    """A worker whose thread is the test's."""

    def __init__(self, folder: Path, cache: Cache) -> None:
        model = Model(Checkpoint(folder), Precision.FLOAT32, None, threads=1)
        super().__init__(model, Tokenizer(folder), cache, 1 << 26, 2048, 9)


async def test_a_question_that_is_given_up_leaves_nothing_that_is_no_number(broken: Path) -> None:
    """In the middle of its prompt, before anybody could see that its logits would be none."""
    cache = Cache(1 << 26, None)
    worker = Hand(broken, cache)
    for text, kept in ((f"{BAD} and then {'much more ' * 80}", False), (f"And then {'much more ' * 80}", True)):
        request = EngineRequest(ask(text), GREEDY, lambda event: None, "-")
        worker.put(request)
        worker._receive()
        worker._admit()
        worker._advance()
        (sequence,) = worker._sequences
        assert sequence.rows and sequence.computed.length
        request.closed.set()
        worker._drop_closed()
        assert (cache.reusable(sequence.prompt.keys) > 10) is kept


@pytest.mark.parametrize("failures", [[], [0], [3, 8, 9]], ids=str)
async def test_a_step_that_finds_no_memory_in_its_last_product_is_done_again_as_if_nothing_was(
    tiny: Path, reference: Reference, failures: list[int]
) -> None:
    worker, events = Hand(tiny, Cache(1 << 26, None)), list[Any]()
    text, calls = worker._model._text, list[int]()

    def failing(x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        calls.append(len(calls))
        if calls[-1] in failures:
            torch.empty(1 << 50)
        return text.head(x, residual)

    worker._model._text = replace(text, head=failing)
    worker.put(EngineRequest(ask("What is it?"), GREEDY, events.append, "-"))
    worker._receive()
    worker._admit()
    while worker._sequences:
        worker._advance()
    assert events[-1].text == reference.generate(ask("What is it?"), 12)
    assert len(calls) == 12 + len(failures)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return load(tmp_path_factory.mktemp("kernel"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("rows", [3, 29])
def test_the_kernels_product_of_no_numbers_is_none_and_other_rows_stay(kernel: Kernel, value: float, rows: int) -> None:
    random = torch.Generator().manual_seed(1)
    x, weight = torch.randn(rows, 64, generator=random), torch.randn(96, 64, generator=random)
    linear = Int8Linear(kernel, quantize(kernel, weight, None))
    for column in (0, 5, 63):
        harmed = x.clone()
        harmed[1, column] = value
        y = linear(harmed)
        assert not torch.isfinite(y[1]).any()
        assert torch.equal(y[[0, 2]], linear(x)[[0, 2]])


@pytest.mark.parametrize("what", ["query", "key", "value"])
def test_the_kernels_attention_to_no_numbers_is_none_and_other_rows_stay(kernel: Kernel, what: str) -> None:
    random = torch.Generator().manual_seed(1)
    kvs = [KV(1, 2, 40, 16, torch.float16) for _ in range(2)]
    for kv in kvs:
        kv.rows.copy_(torch.randn(kv.rows.shape, generator=random))
    queries = torch.randn(2, 4, 16, generator=random)
    segments = [Segment(kv, 1, 30) for kv in kvs]
    before = RaggedBatch(segments, kernel).attend(0, queries)
    if what == "query":
        queries[0, :, 3] = torch.nan
    else:
        kvs[0].rows[0, slice(0, 2) if what == "key" else slice(2, 4), 7, 3] = torch.nan
    after = RaggedBatch(segments, kernel).attend(0, queries)
    assert after[0].isnan().any()
    assert torch.equal(after[1], before[1])


def test_a_temperature_that_is_almost_zero_is_zero() -> None:
    logits = torch.randn(50)
    for temperature in (1e-300, 1e-40, 1e-6):
        assert sample(logits, Sampling(temperature=temperature), torch.Generator(), torch.tensor([0]), []) == int(
            logits.argmax()
        )


# The following break the engine from within, where no input is known that does.


def fails(name: str, error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    fail.__name__ = name
    return fail


@pytest.fixture
def questions() -> list[Conversation]:
    return in_conversations(
        *[ask(f"Question {n}?", *[make_image(n + k, 96, 64) for k in range(n % 3)]) for n in range(4)]
    )


@pytest.fixture
async def alone(start: Start, questions: list[Conversation], tmp_path: Path) -> list[str | None]:
    async with start(cache_limit_gb=0) as engine:
        return texts([await outcome(engine, each, GREEDY) for each in questions])


async def test_rows_that_cannot_be_computed_fail_only_their_own_question(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    (token,) = Tokenizer(tiny).encode(BAD)
    forward = Model.forward

    def failing(self: Model, passes: list[ForwardInput]) -> list[torch.Tensor | None]:
        if any(token in each.ids for each in passes):
            raise IndexError("index out of range in self")
        return forward(self, passes)

    monkeypatch.setattr(Model, "forward", failing)
    async with start(cache_limit_gb=0) as engine:
        *answers, failed = await together(engine, [*questions, ask(f"What is {BAD}?")], GREEDY)
    assert isinstance(failed, IndexError)
    assert texts(answers) == alone


async def test_what_is_too_much_for_memory_at_once_is_computed_one_after_the_other(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, seen = Model.forward, []

    def failing(self: Model, passes: list[ForwardInput]) -> list[torch.Tensor | None]:
        seen.append(len(passes))
        if len(passes) > 1:
            torch.empty(1 << 50)
        return forward(self, passes)

    monkeypatch.setattr(Model, "forward", failing)
    async with start(cache_limit_gb=0) as engine:
        assert texts(await together(engine, questions, GREEDY)) == alone
    assert max(seen) > 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), MemoryError(), OSError(5, "Input/output error"), KeyError("kv")], ids=repr
)
@pytest.mark.parametrize("method", ["load_prefix", "keep", "forget"])
async def test_a_cache_that_fails_costs_no_answer(
    start: Start,
    questions: list[Conversation],
    alone: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    async with start() as engine:
        await together(engine, questions, GREEDY)
        monkeypatch.setattr(Cache, method, fails(method, error))
        engine.forget("test:0", [])
        assert texts(await together(engine, questions, GREEDY)) == alone
        assert texts(await together(engine, questions, GREEDY)) == alone


async def test_a_question_that_is_given_up_and_cannot_be_kept_stops_no_other(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(cache_limit_gb=0) as engine:
        answering = await writing(partial(engine.answer, ask("Write."), Sampling(max_new_tokens=4000)))
        others = asyncio.create_task(together(engine, questions, GREEDY))
        await asyncio.sleep(0)  # they are asked before it is given up
        monkeypatch.setattr(Cache, "keep", fails("keep", RuntimeError("a bug")))
        await hang_up(answering)
        assert texts(await others) == alone


async def test_a_text_that_cannot_be_written_fails_only_its_own_question(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, add = [], Detokenizer.add

    def failing(self: Detokenizer, token: int) -> str:
        if self not in made:
            made.append(self)
        if self is made[0]:
            raise ValueError("a bug")
        return add(self, token)

    monkeypatch.setattr(Detokenizer, "add", failing)
    async with start(cache_limit_gb=0) as engine:
        found = texts(await together(engine, questions, GREEDY))
    assert found.count(None) == 1
    assert all(text in (None, expected) for text, expected in zip(found, alone, strict=True))


async def test_who_cannot_have_room_fails_alone(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = Model.make_kv, []

    def failing(self: Model, capacity: int) -> KV:
        made.append(capacity)
        if len(made) in (2, 3, 4):  # all tries of the second question
            raise OSError(12, "Cannot allocate memory")
        return make(self, capacity)

    monkeypatch.setattr(Model, "make_kv", failing)
    async with start(cache_limit_gb=0) as engine:
        outcomes = await together(engine, questions, GREEDY)
    assert [type(each) for each in outcomes].count(OutOfMemory) == 1
    assert all(text in (None, expected) for text, expected in zip(texts(outcomes), alone, strict=True))


async def test_a_bug_of_nobody_in_particular_is_told_to_all_and_the_next_are_answered(
    start: Start, questions: list[Conversation], alone: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(cache_limit_gb=0) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(ModelWorker, "_tell", fails("_tell", ZeroDivisionError()))
            assert all(isinstance(each, ZeroDivisionError) for each in await together(engine, questions, GREEDY))
        assert texts(await together(engine, questions, GREEDY)) == alone


async def test_who_asks_after_the_end_is_told_so(start: Start) -> None:
    async with start() as engine:
        pass
    assert isinstance(await outcome(engine, ask("Still there?"), GREEDY), Busy)


async def test_whether_any_question_can_be_answered_is_known(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    async with start(cache_limit_gb=0) as engine:
        monkeypatch.setattr(engine._worker, "_clock", lambda: now[0])
        engine.check()
        for ending in ("answered", "later"):
            with monkeypatch.context() as patch:
                patch.setattr(Model, "make_kv", fails("make_kv", OSError(12, "Cannot allocate memory")))
                assert isinstance(await outcome(engine, ask("What?"), GREEDY), OutOfMemory)
            with pytest.raises(OutOfMemory):
                engine.check()
            if ending == "answered":
                assert isinstance(await outcome(engine, ask("What?"), GREEDY), Answer)
            else:
                now[0] += 61
            engine.check()
    with pytest.raises(Busy, match="restart"):
        engine.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_nobody_waits_for_a_model_thread_that_has_died(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelWorker, "_receive", fails("_receive", SystemExit()))
    async with start() as engine:
        assert isinstance(await outcome(engine, ask("Still there?"), GREEDY), Busy)


def litter(folder: Path) -> None:
    """Things of all kinds in all places of a cache folder."""
    for kind, place in (("file", "computed"), ("file", "weights"), ("file", "kernel")):
        (folder / place).write_text(kind)


def litter_with_links(folder: Path) -> None:
    for place in ("computed", "weights", "kernel"):
        (folder / place).symlink_to("/nowhere/at/all")


def litter_within(folder: Path) -> None:
    """Every file and folder that a first start made is another thing now."""
    for number, path in enumerate(sorted(folder.rglob("*"), reverse=True)):
        if path.is_file():
            path.unlink()
            match number % 3:
                case 0:
                    path.mkdir()
                case 1:
                    os.mkfifo(path)
                case 2:
                    path.symlink_to("/dev/zero")
    for path in [each for each in folder.rglob("*-*") if each.is_dir() and each.parent.parent == folder]:
        shutil.rmtree(path)
        path.write_text("a file")


def litter_beside(folder: Path) -> None:
    for path in [folder, *(each for each in folder.rglob("*") if each.is_dir())]:
        for name in (
            "rows-a.safetensors",
            "picture-b.safetensors",
            "c.safetensors.tmp",
            "lost+found",
            "README",
            "0-0.so",
        ):
            (path / name).mkdir()
            (path / f"x{name}").write_bytes(os.urandom(100))
            (path / f"rows-y{name}.safetensors").symlink_to("/dev/zero")


@pytest.mark.parametrize("mess", [litter, litter_with_links, litter_within, litter_beside])
@pytest.mark.parametrize("precision", ["float32", "int8"])
async def test_foreign_things_in_the_cache_stop_no_start_and_no_question(
    start: Start, tmp_path: Path, precision: str, mess: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask("What is it?", make_image(1))
    cache = tmp_path / "cache"
    if mess in (litter, litter_with_links):
        cache.mkdir()
    else:
        async with start(precision=precision) as engine:
            await read(engine, question, GREEDY)
    mess(cache)
    monkeypatch.setattr("core.model.kernel._loaded", {})
    async with start(precision=precision) as engine:
        found = await outcome(engine, question, GREEDY)
    async with start(precision=precision) as engine:
        kept, events = await read(engine, question, GREEDY)
    assert not any(isinstance(event, Looking) for event in events)
    async with start(precision=precision, cache_limit_gb=0) as engine:
        expected = await outcome(engine, question, GREEDY)
    assert texts([found]) == texts([kept]) == texts([expected]) != [None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """One of 64 KB, full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "none", folder], check=False).returncode:
        pytest.skip("needs root that may mount")
    try:
        (folder / "data").mkdir()
        (folder / "data" / "full").write_bytes(bytes(1 << 16))
        yield folder / "data"
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("precision", ["float32", "int8"])
async def test_a_full_disk_stops_no_start_and_no_question(
    start: Start, small_disk: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask("What is it?", make_image(1))
    monkeypatch.setattr("core.model.kernel._loaded", {})
    async with start(precision=precision, cache=small_disk / "cache") as engine:
        found = [await outcome(engine, question, GREEDY) for _ in range(2)]
    async with start(precision=precision, cache_limit_gb=0) as engine:
        expected = await outcome(engine, question, GREEDY)
    assert texts(found) == 2 * texts([expected]) != [None, None]
