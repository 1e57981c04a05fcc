"""Count what the demo model reads of tall prints and of small ones, as a whole and in parts.

`python -m tests.core.pictures.read_prints` takes some minutes; docs/answers.md has its table.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.image import Image
from core.model.precision import Precision
from core.pictures.images import ImagesConfig, make_image
from core.pictures.parts import cut
from core.regions import Region
from tests.core.files import encoded
from tests.core.pictures.tall import items, tall_print
from tests.demo import directly

PRINTS = 40
Show = Callable[[bytes], Awaitable[tuple[Image, ...]]]


def tall(seed: int) -> tuple[list[str], bytes]:
    """Draw a list of 24 lines as long as a screenshot of a whole page."""
    lines = items(seed)
    return lines, encoded(tall_print(lines), "PNG")


def small(seed: int) -> tuple[list[str], bytes]:
    """Draw ten lines of 14-point print as an A4 page has them that is scanned with 300 dots per inch."""
    lines = items(seed, 10)
    return lines, encoded(tall_print(lines, ink=60, pitch=180, width=2480), "PNG")


async def as_a_whole(data: bytes) -> tuple[Image, ...]:
    return (await make_image(data, ImagesConfig(tiles=1)),)


async def in_tiles(data: bytes) -> tuple[Image, ...]:
    return (await make_image(data, ImagesConfig()),)


async def by_chosen_parts(data: bytes) -> tuple[Image, ...]:
    """Look closer at the upper left and at the lower left, as people do with `/closer top left`."""
    image = await make_image(data, ImagesConfig())
    return await cut(image, Region(0, 0, 500, 500)), await cut(image, Region(0, 500, 500, 1000))


TRIALS: tuple[tuple[Callable[[int], tuple[list[str], bytes]], Show], ...] = (
    (tall, as_a_whole),
    (tall, in_tiles),
    (small, as_a_whole),
    (small, by_chosen_parts),
)


def right(lines: list[str], answer: str) -> tuple[int, int]:
    """Return how many characters of the lines the answer has in their order, and how many there are."""
    wanted = "\n".join(lines)
    blocks = SequenceMatcher(None, wanted, answer, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks), len(wanted)


async def measure(engine: Engine, draw: Callable[[int], tuple[list[str], bytes]], show: Show, prints: int) -> str:
    counted: Counter[str] = Counter()
    for seed in range(prints):
        lines, data = draw(seed)
        answers = [await directly(engine, ("Extract all text.", (image,))) for image in await show(data)]
        answer = "\n".join(text for [text] in answers)
        good, of = right(lines, answer)
        read = Counter(answer.splitlines())
        counted.update(good=good, of=of, lines=len(lines), whole=sum(line in read for line in lines))
        counted.update(twice=sum(read[line] > 1 for line in lines))
    share, whole = counted["good"] / counted["of"], f"{counted['whole']} of {counted['lines']}"
    shown = show.__name__.replace("_", " ")
    return f"| {draw.__name__} | {shown} | {share:.1%} of {counted['of']} | {whole} | {counted['twice']} |"


async def main(prints: int = PRINTS) -> None:
    with TemporaryDirectory() as folder:
        config = EngineConfig(model="demo", precision=Precision.FLOAT32, cache=Path(folder), cache_limit_gb=0)
        engine = await Engine.start(config)
        print("| prints | shown | characters right | lines right | lines twice |\n|---|---|---|---|---|")
        for draw, show in TRIALS:
            print(await measure(engine, draw, show, prints), flush=True)
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
