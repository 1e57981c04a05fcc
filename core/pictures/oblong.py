"""Pixels that are not square: a fax has half as many lines to the inch as dots in a line."""

import math
from typing import Any

LEAST, MOST = 1.1, 4.0  # times as long as wide; beyond it what a file says is a mistake


def stretched(size: tuple[int, int], info: dict[str | tuple[int, int], Any]) -> tuple[int, int]:
    """The size with square pixels of a picture with that size and Pillow's `info`; nothing is lost by it."""
    across, down = _resolution(info)
    if LEAST <= across / down <= MOST:
        return size[0], round(size[1] * across / down)
    if LEAST <= down / across <= MOST:
        return round(size[0] * down / across), size[1]
    return size


def _resolution(info: dict[str | tuple[int, int], Any]) -> tuple[float, float]:
    """Dots of a unit, across and down; equal when the file says nothing sensible."""
    told = info.get("dpi") or info.get("aspect") or info.get("resolution")
    if not told and info.get("jfif_unit") == 0:
        told = info.get("jfif_density")  # of a pixel's sides, then
    try:
        across, down = (float(value) for value in told or (1, 1))
    except (TypeError, ValueError, ZeroDivisionError):
        return 1, 1
    good = math.isfinite(across) and math.isfinite(down) and across > 0 and down > 0
    return (across, down) if good else (1, 1)
