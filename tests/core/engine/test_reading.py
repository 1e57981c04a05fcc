"""The demo model reads the same print from every file that it comes in, however odd it is."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.model.precision import Precision
from core.pictures.documents import open_document
from tests.core.files import encoded
from tests.core.papers import cjk_pdf
from tests.core.pictures.tall import MARGIN, PITCH, items, tall_print
from tests.core.prints import (
    LINES,
    animation,
    avif_turned_by_exif_only,
    fax,
    hidden_by_its_alpha,
    on_nothing,
    palette_on_nothing,
    png_with_texts,
    printed,
    raw_with_thumbnail,
    turned,
)
from tests.demo import directly

BLANK = printed("white")
FILES: dict[str, Callable[[], bytes]] = {
    "as it is": lambda: encoded(printed(), "PNG"),
    "HEIC turned by EXIF": lambda: turned("HEIF", 6),
    "AVIF turned by EXIF": lambda: avif_turned_by_exif_only(8),
    "white on nothing": lambda: encoded(on_nothing("white"), "PNG"),
    "white on nothing, in a palette": lambda: palette_on_nothing("white"),
    "hidden by its alpha": lambda: encoded(hidden_by_its_alpha(), "PNG"),
    "fax": fax,
    "fax as PNG": lambda: fax(file_format="PNG"),
    "GIF with a blank first frame": lambda: animation("GIF", BLANK, printed()),
    "JPEG without its end": lambda: encoded(printed(), "JPEG", quality=90)[:-2],
    "PNG without its end": lambda: encoded(printed(), "PNG")[:-40],
    "PNG with megabytes of text": lambda: png_with_texts(3),
    "raw with a thumbnail": lambda: raw_with_thumbnail(printed(), 6),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("reading")
    engine = await Engine.start(
        EngineConfig(model="demo", precision=Precision.FLOAT32, cache=folder, cache_limit_gb=0.1)
    )
    yield engine
    await engine.close()


async def read(engine: Engine, data: bytes, question: str = "Extract all text") -> list[str]:
    [image] = (await open_document(data)).images
    [answer] = await directly(engine, (question, (image,)))
    return answer.splitlines()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_print_is_read(engine: Engine, name: str) -> None:
    assert await read(engine, FILES[name]()) == list(LINES)


@pytest.mark.asyncio(loop_scope="module")
async def test_chinese_whose_font_a_pdf_only_names_is_read(engine: Engine) -> None:
    answer = await read(engine, cjk_pdf(["发票号码 5520", "总额 318.20"]), "提取图中的所有文字")
    assert [line.replace(" ", "") for line in answer] == ["发票号码5520", "总额318.20"]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_lines_at_the_seams_of_a_long_list_are_read_once(engine: Engine) -> None:
    lines, sent = items(2), encoded(tall_print(items(2)), "PNG")
    [image] = (await open_document(sent)).images
    scale = image.height / image.original_size[1]
    ends = [round((bottom / scale - MARGIN / 2) / PITCH) for _, _, _, bottom in image.tiles[:-1]]
    said = await read(engine, sent)
    assert len(ends) == 3
    assert [said.count(lines[number]) for end in ends for number in (end - 1, end)] == [1] * 6
    assert max(map(said.count, lines)) == 1
