"""Define what a tall or wide picture is cut into, so that a model sees its print less shrunk."""

import hashlib

MOST_TILES = 8  # of a picture

Tile = tuple[int, int, int, int]  # left, top, right and bottom, in pixels of the picture


def tile_id(image_id: str, number: int) -> str:
    """Return the id of a picture's tile, whose number counts from 1; 0: of the whole, shrunk instead of tiled."""
    return hashlib.sha256(f"{image_id} tile {number}".encode()).hexdigest()


def tile_ids(image_id: str) -> list[str]:
    """Return the ids that a picture's tiles may have, however many it has."""
    return [tile_id(image_id, number) for number in range(MOST_TILES + 1)]
