"""Count what the demo model reads of tall prints and of small ones, whole and in parts.

`python -m tests.core.pictures.read_prints` takes some minutes; docs/answers.md has its table.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image as Pillow

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.model.precision import Precision
from core.pictures.images import ImagesConfig, make_image
from tests.core.files import encoded
from tests.core.pictures.tall import items, tall_print
from tests.demo import directly

PRINTS = 40
KINDS: dict[str, Callable[[list[str]], Pillow.Image]] = {
    "tall": tall_print,
    "small": lambda lines: tall_print(lines[:10], ink=30, pitch=100, width=1240),
}


def right(lines: list[str], answer: str) -> tuple[int, int]:
    """Return how many characters of the lines the answer has in their order, and how many there are."""
    wanted = "\n".join(lines)
    blocks = SequenceMatcher(None, wanted, answer, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks), len(wanted)


async def measure(engine: Engine, kind: str, tiles: int, prints: int) -> str:
    counted: Counter[str] = Counter()
    for seed in range(prints):
        lines = items(seed) if kind == "tall" else items(seed)[:10]
        image = await make_image(encoded(KINDS[kind](lines), "PNG"), ImagesConfig(tiles=tiles))
        [answer] = await directly(engine, ("Extract all text.", (image,)))
        good, of = right(lines, answer)
        read = Counter(answer.splitlines())
        counted.update(good=good, of=of, lines=len(lines), whole=sum(line in read for line in lines))
        counted.update(twice=sum(read[line] > 1 for line in lines), parts=len(image.views))
    share, whole = counted["good"] / counted["of"], f"{counted['whole']} of {counted['lines']}"
    parts = counted["parts"] / prints
    return f"| {kind} | {tiles} | {parts:g} | {share:.1%} of {counted['of']} | {whole} | {counted['twice']} |"


async def main(prints: int = PRINTS) -> None:
    with TemporaryDirectory() as folder:
        config = EngineConfig(model="demo", precision=Precision.FLOAT32, cache=Path(folder), cache_limit_gb=0)
        engine = await Engine.start(config)
        print("| prints | `tiles` | parts | characters right | lines right | lines twice |\n|---|---|---|---|---|---|")
        for kind in KINDS:
            for tiles in (1, 4):
                print(await measure(engine, kind, tiles, prints), flush=True)
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
