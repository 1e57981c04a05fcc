"""Correct pixels that are not square: a fax has half as many lines per inch as dots."""

import math
from typing import Any

LEAST_PIXEL_ASPECT, LARGEST_PIXEL_ASPECT = 1.1, 4.0  # outside these the file's claim is a mistake


def stretched(size: tuple[int, int], info: dict[str | tuple[int, int], Any]) -> tuple[int, int]:
    """Return the size with square pixels, from a picture's size and Pillow's `info`. The picture only grows."""
    across, down = _resolution(info)
    if LEAST_PIXEL_ASPECT <= across / down <= LARGEST_PIXEL_ASPECT:
        return size[0], round(size[1] * across / down)
    if LEAST_PIXEL_ASPECT <= down / across <= LARGEST_PIXEL_ASPECT:
        return round(size[0] * down / across), size[1]
    return size


def _resolution(info: dict[str | tuple[int, int], Any]) -> tuple[float, float]:
    """Return the dots per unit, across and down. They are equal when the file says nothing sensible."""
    told = info.get("dpi") or info.get("aspect") or info.get("resolution")
    if not told and info.get("jfif_unit") == 0:
        told = info.get("jfif_density")  # the ratio of a pixel's sides
    try:
        across, down = (float(value) for value in told or (1, 1))
    except (TypeError, ValueError, ZeroDivisionError):
        return 1, 1
    good = math.isfinite(across) and math.isfinite(down) and across > 0 and down > 0
    return (across, down) if good else (1, 1)
