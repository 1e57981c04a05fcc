"""Encode pictures once for all who need them, a slice at a time, and hold features while a request needs them."""

import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.cache import Cache
from core.engine.sampler import check
from core.image import Image
from core.model.vision import Vision

LOOK_AHEAD_PICTURES = 16  # that may wait to be encoded before a question comes


@dataclass(slots=True)
class _Sight:
    image: Image
    work: Generator[int, None, Tensor]
    patches: int  # left


class ImageEncoder:
    """Encodes pictures, of a tiled one its `views`, in the model thread.

    Features are (1 + deepstack, image tokens, hidden) of `dtype`.
    """

    def __init__(self, vision: Vision, cache: Cache, dtype: torch.dtype) -> None:
        self._vision = vision
        self._cache = cache
        self._dtype = dtype
        self._open: OrderedDict[str, _Sight] = OrderedDict()
        self._features: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._open)

    def encode_ahead(self, image: Image) -> None:
        """Begin a picture that `next` then returns in order, unless it is known or too many are waiting."""
        if len(self._open) < LOOK_AHEAD_PICTURES and self._cache.picture(image.id) is None:
            self._begin(image)

    def next(self) -> Image | None:
        return next((sight.image for sight in self._open.values()), None)

    def left(self, image: Image) -> int:
        """Return how many patches of a picture are still to be encoded."""
        sight = self._open.get(image.id)
        return sight.patches if sight else self._patches(image)

    def encode(self, image: Image, seconds: float, on_disk: bool = True) -> bool:
        """Encode for about `seconds`, and return True once the picture is finished and kept, `on_disk` or not.

        When decoding raises an error, the picture is dropped and the error passed on.
        """
        sight, begin, slices = self._begin(image), time.monotonic(), 0
        try:
            with torch.inference_mode():
                while not slices or (time.monotonic() - begin) * (1 + 0.5 / slices) < seconds:
                    sight.patches = max(1, sight.patches - next(sight.work))
                    slices += 1
        except StopIteration as done:
            self.close(image.id)
            features = done.value.to(self._dtype, copy=True)
            check(features)
            self._features[image.id] = features
            self._cache.keep_picture(image.id, features, on_disk)
            return True
        except Exception:
            self.close(image.id)
            raise
        return False

    def close(self, name: str) -> None:
        self._open.pop(name, None)

    def known(self, name: str) -> bool:
        """Return whether the picture's features are in memory, reading them from the cache if need be.

        They stay until `keep` is called without this picture.
        """
        if name not in self._features and (found := self._cache.picture(name)) is not None:
            self._features[name] = found
        return name in self._features

    def expects(self, name: str) -> bool:
        """Return whether `known` will probably return True, without reading anything."""
        return name in self._features or self._cache.has_picture(name)

    def features(self, name: str) -> Tensor:
        return self._features[name]

    def keep(self, names: set[str]) -> None:
        self._features = {name: features for name, features in self._features.items() if name in names}

    def _begin(self, image: Image) -> _Sight:
        if image.id not in self._open:
            work = self._vision.encode(image.data, next(iter(image.tiles), None), (image.width, image.height))
            self._open[image.id] = _Sight(image, work, self._patches(image))
        return self._open[image.id]

    def _patches(self, image: Image) -> int:
        height, width = self._vision.grid(image.width, image.height)
        return int(height * width * self._vision.merge**2)
