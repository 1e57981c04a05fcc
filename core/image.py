"""Define a picture as the model sees it, whole or in tiles."""

import hashlib
from dataclasses import dataclass, field, replace

MOST_TILES = 8  # of a picture
Tile = tuple[int, int, int, int]  # left, top, right and bottom, in pixels of the picture


def tile_id(image_id: str, number: int) -> str:
    """Return the id of a picture's tile, whose number counts from 1; 0: of the whole, shrunk instead of tiled."""
    return hashlib.sha256(f"{image_id} tile {number}".encode()).hexdigest()


def tile_ids(image_id: str) -> list[str]:
    """Return the ids that a picture's tiles may have, however many it has."""
    return [tile_id(image_id, number) for number in range(MOST_TILES + 1)]


@dataclass(frozen=True, slots=True)
class Image:
    """A picture made safe by `core.pictures.images`: upright RGB, no larger than the pixel budget.

    `id` is the sha256 of width, height, pixels and tiles, that is, of what the model sees. So the same picture from
    different people is stored and encoded once. `data` is its lossless PNG. It is empty in an outline of a
    conversation; a question may name its pictures by such images. `original_size` is (width, height) as it was sent.
    `original` keeps the sent bytes only when shrinking lost detail that may be wanted back. `tiles` are what a tall or
    wide picture is cut into, in the order of reading; of any other there are none.
    """

    id: str
    data: bytes = field(repr=False)
    width: int
    height: int
    original_size: tuple[int, int]
    original: bytes | None = field(default=None, repr=False)
    tiles: tuple[Tile, ...] = ()

    @property
    def views(self) -> tuple["Image", ...]:
        """What a model is shown: the picture itself, or each of its tiles, as an image with the data of the whole."""
        if len(self.tiles) < 2:
            return (self,)
        return tuple(
            replace(self, id=tile_id(self.id, number), width=tile[2] - tile[0], height=tile[3] - tile[1], tiles=(tile,))
            for number, tile in enumerate(self.tiles, 1)
        )

    @property
    def untiled(self) -> "Image":
        """The whole picture in one view, as large as one of its tiles on average.

        Its `data` still has the size of the whole. A model is shown this where there is too little room for all tiles.
        """
        if len(self.tiles) < 2:
            return self
        width, height = (max(1, round(side / len(self.tiles) ** 0.5)) for side in (self.width, self.height))
        return replace(self, id=tile_id(self.id, 0), width=width, height=height, tiles=())

    @property
    def shrunk(self) -> bool:
        return (self.width, self.height) != self.original_size
