"""Run Qwen3-VL: rows of many conversations in one forward call."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core import cache_folder, hardware
from core.model.checkpoint import Checkpoint
from core.model.compatibility import eos_token_ids, read_config
from core.model.identity import identify
from core.model.instruction_set import Unavailable, torch_instructions
from core.model.kernel import Kernel, load
from core.model.kv import KV
from core.model.loader import Loader
from core.model.pack import RaggedBatch, Segment
from core.model.precision import Precision
from core.model.quantize import LinearFactory, has_fbgemm
from core.model.vision import Vision

log = logging.getLogger(__name__)
SMALL_MODEL_PARAMETERS = 200_000_000  # float32 is exact, and fast enough below this


@dataclass(slots=True)
class ForwardInput:
    """The rows that one conversation adds in a forward call. They follow the rows already in `kv`.

    `features` are the pictures' (first row within this input, (1 + deepstack, rows, hidden)).
    """

    kv: KV
    ids: npt.NDArray[np.int64]  # (rows,)
    positions: npt.NDArray[np.int64]  # (3, rows)
    features: list[tuple[int, Tensor]]
    wants_logits: bool  # of its last row


class Model:
    """The loaded model, for use by one thread only. `dtype` is the type of cached keys, values and image features."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        precision: Precision,
        cache: Path | None,
        threads: int | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        if has_fbgemm():
            torch.backends.quantized.engine = "fbgemm"
        config = read_config(checkpoint)
        self.text_config = config.text_config
        count = config.parameters()
        self.precision, self._kernel = choose(precision, count, cache)
        # A small model's products end before a second core has noticed that there is work.
        threads = threads or (1 if count < SMALL_MODEL_PARAMETERS else hardware.cores())
        self.dtype = torch.float32 if self.precision is Precision.FLOAT32 else torch.float16
        torch.set_num_threads(threads)
        folder = self.identity = None  # of what is kept on disk
        if cache:
            known = identify(checkpoint, cache_folder.make(cache / cache_folder.MODELS_FOLDER, below=cache))
            self.identity = f"{known}-{self.precision}"
        if cache and self.identity and self._kernel:
            folder = cache_folder.make(cache / cache_folder.WEIGHTS_FOLDER / self.identity, below=cache)
        loader = Loader(checkpoint, config, LinearFactory(self.precision, self._kernel, folder), progress)
        self._text = loader.language_model()
        processor = checkpoint.read_json("preprocessor_config.json")
        merge = config.vision_config.spatial_merge_size
        self.vision = Vision(loader.vision_encoder(), processor, merge, self._kernel)
        self.eos_token_ids = eos_token_ids(checkpoint)

    @property
    def kernel(self) -> str:
        """What multiplies weights, with the instructions that it uses: int8-AVX512, torch-AVX2 and so on."""
        return f"int8-{self._kernel.instructions.name}" if self._kernel else f"torch-{torch_instructions()}"

    def make_kv(self, capacity: int) -> KV:
        text = self.text_config
        return KV(text.num_hidden_layers, text.num_key_value_heads, capacity, text.head_dim, self.dtype)

    @property
    def row_bytes(self) -> int:
        """Return the bytes that one row of keys and values takes in a running conversation."""
        text = self.text_config
        return int(2 * self.dtype.itemsize * text.num_hidden_layers * text.num_key_value_heads * text.head_dim)

    @torch.inference_mode()
    def forward(self, passes: list[ForwardInput]) -> list[Tensor | None]:
        """Return the logits (vocabulary,) of each input's last row where they are wanted; every `kv` grows by its rows.

        When this raises, no `kv` has grown, so the same inputs can be tried again.
        """
        text = self._text
        ids = torch.cat([torch.from_numpy(p.ids) for p in passes])  # (rows,)
        positions = torch.cat([torch.from_numpy(p.positions) for p in passes], 1)  # (3, rows)
        hidden = text.embed(ids)  # (rows, hidden)
        pictures, first = [], 0
        for each in passes:
            for row, features in each.features:
                features = features.float()
                pictures.append((slice(first + row, first + row + features.shape[1]), features))
                hidden[pictures[-1][0]] = features[0]
            first += len(each.ids)
        rotation = text.rotary(positions)
        pack = RaggedBatch([Segment(p.kv, len(p.ids), p.kv.length) for p in passes], self._kernel)
        wanted = [p.wants_logits for p in passes]
        for number, layer in enumerate(text.layers):
            hidden = layer(hidden, rotation, pack, wanted if number == len(text.layers) - 1 else None)
            for own, features in pictures:
                if number + 1 < len(features):  # deepstack: features of earlier vision blocks join later
                    hidden[own] += features[number + 1]
        logits = iter(text.head(hidden) if any(wanted) else ())  # each (vocabulary,)
        for each in passes:
            each.kv.length += len(each.ids)
        return [next(logits) if p.wants_logits else None for p in passes]


def choose(precision: Precision, count: int, cache: Path | None) -> tuple[Precision, Kernel | None]:
    """Return the precision to use, and the kernel if it is int8.

    Logs what `auto` chose, or why the wanted precision is impossible here.
    """
    if precision is Precision.AUTO and count < SMALL_MODEL_PARAMETERS:
        log.info("precision float32: the model is small")
        return Precision.FLOAT32, None
    if precision in (Precision.AUTO, Precision.INT8):
        try:
            kernel = _load_kernel(cache)
        except Unavailable as reason:
            log.warning("precision float16: %s", reason)
            precision = Precision.FLOAT16
        else:
            log.info("precision int8: decoding is as fast as memory can be read")
            return Precision.INT8, kernel
    if precision is Precision.FLOAT16 and not has_fbgemm():
        log.warning("this processor has no FBGEMM kernels: weights are kept in bfloat16, which is slower")
    return precision, None


def _load_kernel(cache: Path | None) -> Kernel:
    """Load the kernel from the cache folder, or from a temporary folder if the cache is full or mounted noexec."""
    if cache:
        try:
            return load(cache_folder.make(cache / "kernel", below=cache))
        except Unavailable as reason:
            log.info("trying a temporary folder: %s", reason)
    with TemporaryDirectory() as temporary:
        return load(Path(temporary))
