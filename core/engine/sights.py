"""Pictures that are being looked at, each once for whoever needs it, a slice at a time."""

import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.conversation import Image
from core.engine.vision import Vision


@dataclass(slots=True)
class _Sight:
    image: Image
    work: Generator[int, None, Tensor]
    patches: int  # left


class Sights:
    """Belongs to the model thread."""

    def __init__(self, vision: Vision) -> None:
        self._vision = vision
        self._open: OrderedDict[str, _Sight] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, image: Image) -> None:
        """Open it for later; `next` finds it in order."""
        if image.id not in self._open:
            self._open[image.id] = _Sight(image, self._vision.look(image.data), self._patches(image))

    def next(self) -> Image | None:
        return next((sight.image for sight in self._open.values()), None)

    def left(self, image: Image) -> int:
        """Patches that are still to be looked at."""
        sight = self._open.get(image.id)
        return sight.patches if sight else self._patches(image)

    def look(self, image: Image, seconds: float) -> Tensor | None:
        """Go on for about so long; its features (1 + deepstack, image tokens, hidden) once it is done.

        Raises what decoding it raises; it is closed then.
        """
        self.begin(image)
        sight, begin, slices = self._open[image.id], time.monotonic(), 0
        try:
            with torch.inference_mode():
                while not slices or (time.monotonic() - begin) * (1 + 0.5 / slices) < seconds:
                    sight.patches = max(1, sight.patches - next(sight.work))
                    slices += 1
        except StopIteration as done:
            self.close(image.id)
            features: Tensor = done.value
            return features
        except Exception:
            self.close(image.id)
            raise
        return None

    def close(self, image_id: str) -> None:
        self._open.pop(image_id, None)

    def _patches(self, image: Image) -> int:
        height, width = self._vision.grid(image.width, image.height)
        return height * width * int(self._vision.merge) ** 2
