"""Provide hostile files for every platform: known ones, and good ones with damage anywhere."""

from random import Random

from tests.core.files import endless_jpeg
from tests.core.papers import hostile_papers, pdf, tiff
from tests.core.pictures.specimens import mangled, mutated, specimens

ALL = 500
PAPERS = 80  # damaged documents among them


def hostile_files(count: int = ALL) -> list[bytes]:
    """Return all of them, or for a smaller count some of each kind. Only all of them include the slowest."""
    random = Random(5)
    known = [specimen.data for specimen in specimens()] + list(hostile_papers().values()) + [endless_jpeg()]
    good = pdf(["One", "Two"], size=(90, 120)), tiff([9, 99]), pdf(["Three"], size=(300, 300))
    papers = [mangled(good[number % len(good)], random) for number in range(PAPERS)]
    every = [*known, *papers, *mutated(ALL - len(known) - PAPERS)]
    return every if count >= ALL else [every[number * ALL // count] for number in range(count)]
