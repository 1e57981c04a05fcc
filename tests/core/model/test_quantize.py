"""Quantized products are close, with numbers, and their cache survives crashes."""

import resource
import shutil
import sys
from pathlib import Path

import pytest
import torch

from core.benchmark.compare import differ, follow
from core.engine.prompt import Prompter
from core.engine.tokenizer import Tokenizer
from core.errors import ModelMissing, OperatorError
from core.model.checkpoint import Checkpoint
from core.model.full_attention import FullAttention
from core.model.instruction_set import Unavailable
from core.model.kernel import Kernel, load
from core.model.kv import KV
from core.model.model import Model
from core.model.pack import RaggedBatch, Segment
from core.model.precision import Precision
from core.model.prologue import GELU, Prologue, RMSNorm, SwiGLU
from core.model.quantize import (
    CHANNELS_AT_ONCE,
    BFloat16Linear,
    Float16Linear,
    Float32Linear,
    Int8Linear,
    LinearFactory,
    Unfused,
    quantize,
)
from core.model.rotary import Rotation
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import ask, make_image

PROLOGUES: list[Prologue] = [RMSNorm(torch.linspace(-2, 2, 64), 1e-6), GELU(), SwiGLU()]


def case(rows: int, out: int = 96) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return x with outliers, a weight, a bias, and the exact product."""
    random = torch.Generator().manual_seed(rows)
    x = torch.randn(rows, 64, generator=random)
    x[:, 3] *= 50
    weight, bias = torch.randn(out, 64, generator=random), torch.randn(out, generator=random)
    return x, weight, bias, x @ weight.T + bias


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return load(tmp_path_factory.mktemp("kernel"))


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 13, 300])
def test_int8_loses_only_what_rounding_the_weights_loses(kernel: Kernel, rows: int) -> None:
    x, weight, bias, exact = case(rows)
    made = quantize(kernel, weight, bias)
    rounded = made["panels"].transpose(1, 2).reshape(96, 64) * made["scale"][:, None]
    floor = error(x @ rounded.T + bias, exact)
    found = error(Int8Linear(kernel, made)(x), exact)
    assert found < 1.01 * floor
    assert found < 0.01


def test_a_row_does_not_depend_on_the_rows_beside_it(kernel: Kernel) -> None:
    x, weight, bias, _ = case(29)
    linear = Int8Linear(kernel, quantize(kernel, weight, bias))
    whole = linear(x)
    for rows in (1, 2, 3, 4, 5, 6, 8, 14):
        assert torch.equal(torch.cat([linear(part) for part in torch.split(x, rows)]), whole)


def test_the_largest_sum_that_can_be_does_not_overflow(kernel: Kernel) -> None:
    weight = torch.ones(16, 6144)
    weight[1::2] = -1
    y = Int8Linear(kernel, quantize(kernel, weight, None))(torch.full((1, 6144), 3.0))
    assert torch.allclose(y, weight.sum(1)[None] * 3, rtol=1e-3)


def test_a_vocabulary_that_fills_no_panel_and_more_than_one_part(kernel: Kernel) -> None:
    x, weight, bias, exact = case(2, out=CHANNELS_AT_ONCE + 100)
    assert error(Int8Linear(kernel, quantize(kernel, weight, bias))(x), exact) < 0.01


def test_layers_that_do_not_fit_are_refused_with_what_to_do(kernel: Kernel) -> None:
    with pytest.raises(OperatorError, match="float16"):
        quantize(kernel, torch.ones(16, 24), None)


def test_rows_of_zeros_stay_zero(kernel: Kernel) -> None:
    _, weight, _, _ = case(1)
    assert not Int8Linear(kernel, quantize(kernel, weight, None))(torch.zeros(2, 64)).any()


@pytest.mark.parametrize("prologue", PROLOGUES, ids=lambda each: type(each).__name__)
def test_what_becomes_of_rows_first_and_what_they_are_added_to_is_as_torchs(kernel: Kernel, prologue: Prologue) -> None:
    _, weight, bias, _ = case(7)
    x, residual = 3 * torch.randn(7, 64 * prologue.width), torch.randn(7, 96)
    made = quantize(kernel, weight, bias)
    rounded = made["panels"].transpose(1, 2).reshape(96, 64) * made["scale"][:, None]
    exact = residual + prologue(x.clone()) @ rounded.T + bias
    whole, rows = residual.clone(), residual.clone()
    linear = Int8Linear(kernel, made, prologue)
    assert linear(x, whole).data_ptr() == whole.data_ptr()
    assert error(whole, exact) < 1e-4
    for row in range(7):
        linear(x[row : row + 1], rows[row : row + 1])
    assert torch.equal(rows, whole)
    theirs = Unfused(Float32Linear(weight, bias), prologue)(x, residual)
    assert error(theirs, whole) < 0.01


@pytest.mark.parametrize("dim", [8, 16, 128])
def test_heads_are_rotated_and_stored_as_by_torch(kernel: Kernel, dim: int) -> None:
    random = torch.Generator().manual_seed(dim)
    norm = RMSNorm(torch.rand(6, dim, generator=random), 1e-6)  # of four heads of queries and two of keys
    rotation = Rotation.of(torch.randn(9, dim // 2, generator=random))
    x, results = torch.randn(9, 8, dim, generator=random), []
    for each in (kernel, None):
        kvs = [KV(2, 2, capacity, dim, torch.float16) for capacity in (40, 12)]
        kvs[0].length = 30
        pack, own = RaggedBatch([Segment(kvs[0], 5, 30), Segment(kvs[1], 4, 0)], each), x.clone()
        pack.rotate_and_write(1, own, norm, rotation)
        results.append([own[:, :6], *[kv.rows.float() for kv in kvs]])
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-3)  # halves differ by a step where sums differ by 1e-7
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)


@pytest.mark.parametrize("dim", [16, 24, 64])
@pytest.mark.parametrize("patches", [1, 16, 300])
def test_full_attention_equals_torchs_and_no_row_depends_on_others(kernel: Kernel, patches: int, dim: int) -> None:
    q, k, v = 2 * torch.randn(3, patches, 4, dim, generator=torch.Generator().manual_seed(patches))
    ours, theirs = (FullAttention(k, v, each) for each in (kernel, None))
    assert error(ours(q), theirs(q)) < 1e-5
    if dim % 16 == 0:
        assert torch.equal(torch.cat([ours(part) for part in q.split(7)]), ours(q))


@pytest.mark.parametrize("heads", [2, 8])
def test_attention_of_the_kernel_equals_torchs(kernel: Kernel, heads: int) -> None:
    random = torch.Generator().manual_seed(heads)
    kvs = [KV(3, 2, capacity, 16, torch.float16) for capacity in (40, 900)]
    for kv in kvs:
        kv.rows.copy_(torch.randn(kv.rows.shape, generator=random))
    segments = [Segment(kvs[0], 5, 30), Segment(kvs[1], 1, 800), Segment(kvs[1], 7, 0)]
    queries = 5 * torch.randn(13, heads, 16, generator=random)
    for layer in range(3):
        ours, theirs = (RaggedBatch(segments, each).attend(layer, queries) for each in (kernel, None))
        assert error(ours, theirs) < 1e-5
        alone = RaggedBatch(segments[1:2], kernel).attend(layer, queries[5:6])
        assert torch.equal(ours[5:6], alone)


def test_without_a_compiler_float16_is_taken_and_a_sentence_says_what_to_install(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)  # as if it were not installed
    model = Model(Checkpoint(tiny), Precision.INT8, tmp_path, threads=1)
    assert model.precision is Precision.FLOAT16
    assert "apt-get install gcc" in caplog.text


def test_a_compiler_that_fails_is_said_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho immintrin.h is missing >&2; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr("core.model.kernel._loaded", {})
    with pytest.raises(Unavailable, match="immintrin.h is missing"):
        load(tmp_path / "kernel")
    assert not list((tmp_path / "kernel").iterdir())


@pytest.mark.parametrize(("kind", "limit"), [(Float16Linear, 5e-4), (BFloat16Linear, 5e-3)])
def test_16_bits_are_close(kind: type[Float16Linear | BFloat16Linear], limit: float) -> None:
    x, weight, bias, exact = case(5)
    assert error(kind(weight, bias)(x), exact) < limit


def test_int8_weights_are_read_back_instead_of_made_again(kernel: Kernel, tmp_path: Path) -> None:
    x, weight, bias, _ = case(3)
    factory = LinearFactory(Precision.INT8, kernel, tmp_path)
    made = factory.linear("a", lambda: (weight, bias))(x)

    def forbidden() -> tuple[torch.Tensor, torch.Tensor | None]:
        raise AssertionError("read the checkpoint")

    assert torch.equal(factory.linear("a", forbidden)(x), made)


def test_int8_weights_of_another_processor_are_made_again(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x, weight, bias, _ = case(3)
    factory = LinearFactory(Precision.INT8, kernel, tmp_path)
    made = factory.linear("a", lambda: (weight, bias))(x)
    ours = kernel.panel
    monkeypatch.setattr(kernel, "panel", (8, 4) if ours != (8, 4) else (16, 2))
    factory.linear("a", lambda: (weight, bias))
    monkeypatch.setattr(kernel, "panel", ours)
    caplog.clear()
    assert torch.equal(factory.linear("a", lambda: (weight, bias))(x), made)
    assert "it was made for another processor" in caplog.text


def test_half_written_int8_weights_are_made_again(kernel: Kernel, tmp_path: Path) -> None:
    x, weight, bias, _ = case(3)
    factory = LinearFactory(Precision.INT8, kernel, tmp_path)
    made = factory.linear("a", lambda: (weight, bias))(x)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(factory.linear("a", lambda: (weight, bias))(x), made)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_does_not_keep_int8_weights_from_working(
    kernel: Kernel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x, weight, bias, _ = case(3)
    factory = LinearFactory(Precision.INT8, kernel, tmp_path)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most[1]))
    try:
        made = [factory.linear(name, lambda: (weight, bias))(x) for name in "ab"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert torch.equal(made[0], Int8Linear(kernel, quantize(kernel, weight, bias))(x))
    assert torch.equal(made[0], made[1])
    assert caplog.text.count("int8 weights cannot be kept") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("precision", "kl"), [("float32", 1e-7), ("float16", 1e-4), ("int8", 2e-2)])
def test_a_model_stays_close_to_transformers(
    tiny: Path, reference: Reference, tmp_path: Path, precision: str, kl: float
) -> None:
    question = ask("What is it?", make_image(1), make_image(2, 64, 160))
    model = Model(Checkpoint(tiny), Precision(precision), tmp_path, threads=1)
    prompt = Prompter(Tokenizer(tiny), model.vision.grid, 4096).write(question, 1)
    found = follow(model, prompt, None, 1)
    assert differ(reference.logits(question)[None], found).kl < kl


def test_auto_takes_float32_for_a_small_model(tiny: Path) -> None:
    assert Model(Checkpoint(tiny), Precision.AUTO, None, threads=1).precision is Precision.FLOAT32


def test_a_folder_of_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(OperatorError, match="not a Qwen3-VL model"):
        Checkpoint.find(str(copy))


def test_a_half_downloaded_model_is_missing(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1-of-2.safetensors"}}')
    with pytest.raises(ModelMissing):
        Checkpoint.find(str(copy))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors.index.json", '{"weight_map": {"a": "model-1-of'),
        ("model.safetensors.index.json", '{"metadata": {}}'),
        ("model.safetensors.index.json", "[]"),
        ("model.safetensors.index.json", '{"weight_map": 7}'),
        ("config.json", '{"model_type": "qwen3_'),
        ("config.json", "[7]"),
        ("preprocessor_config.json", "{"),
        ("generation_config.json", "not JSON"),
        ("model.safetensors", "cut off"),
    ],
)
def test_a_damaged_file_of_a_model_is_said(tiny: Path, tmp_path: Path, name: str, content: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / name).write_text(content)
    with pytest.raises(ModelMissing, match="is damaged"):
        Model(Checkpoint.find(str(copy)), Precision.FLOAT32, None, threads=1)
