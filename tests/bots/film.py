"""Film a page: what the browser paints, when it paints it, and the pointer where the mouse is at that moment."""

import asyncio
import base64
import io
import time
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image as PilImage
from PIL import ImageDraw
from playwright.async_api import Locator, Page

FRAMES_PER_SECOND = 10
STEP_SECONDS = 0.04  # between two places of a moving pointer
TYPING_MS = 40  # a letter
POINTER = ((0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12))  # an arrow, its tip first


class Film:
    """Frames and pointer places with their times, in seconds of the wall clock, as the browser tells them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._frames: list[tuple[float, bytes]] = []
        self._places: list[tuple[float, tuple[float, float]]] = [(0.0, (450.0, 420.0))]

    @asynccontextmanager
    async def rolling(self) -> AsyncIterator[None]:
        """Record until the end of the block."""
        browser = await self.page.context.new_cdp_session(self.page)

        async def keep(event: dict[str, Any]) -> None:
            self._frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
            await browser.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

        browser.on("Page.screencastFrame", lambda event: asyncio.ensure_future(keep(event)))
        await browser.send("Page.startScreencast", {"format": "png"})
        begun = time.time()
        yield
        await browser.send("Page.stopScreencast")
        self.begun, self.seconds = begun, time.time() - begun

    async def move(self, x: float, y: float, seconds: float = 0.4) -> None:
        """Move the mouse in a straight line, as a person does."""
        _, (from_x, from_y) = self._places[-1]
        steps = round(seconds / STEP_SECONDS)
        for step in range(1, steps + 1):
            share = step / steps
            share *= share * (3 - 2 * share)  # begins and ends slowly
            place = (from_x + (x - from_x) * share, from_y + (y - from_y) * share)
            await self.page.mouse.move(*place)
            self._places.append((time.time(), place))
            await asyncio.sleep(STEP_SECONDS)

    async def click(self, target: Locator) -> None:
        box = await target.bounding_box()
        assert box is not None
        await self.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await self.page.mouse.down()
        await self.page.mouse.up()

    async def write(self, words: str) -> None:
        """Type the words where the focus is, and send them."""
        await self.page.keyboard.type(words, delay=TYPING_MS)
        await asyncio.sleep(0.3)
        await self.page.keyboard.press("Enter")

    def save(self, path: Path) -> Path:
        """Save an animated WebP that runs as fast as what was filmed. What did not change is one long frame."""
        self._frames.sort(key=lambda frame: frame[0])
        pictures: list[PilImage.Image] = []
        durations: list[int] = []
        shown = None
        for tick in range(round(self.seconds * FRAMES_PER_SECOND)):
            moment = self.begun + tick / FRAMES_PER_SECOND
            now = self._at(moment)
            if now == shown:
                durations[-1] += 1000 // FRAMES_PER_SECOND
                continue
            shown = now
            pictures.append(self._draw(*now))
            durations.append(1000 // FRAMES_PER_SECOND)
        first, *more = pictures
        first.save(path, save_all=True, append_images=more, duration=durations, loop=0, lossless=True, method=4)
        return path

    def _at(self, moment: float) -> tuple[int, tuple[int, int]]:
        """Return which frame was on the screen, and where the pointer was."""
        frame = max(0, bisect_right(self._frames, moment, key=lambda it: it[0]) - 1)
        x, y = self._places[bisect_right(self._places, moment, key=lambda it: it[0]) - 1][1]
        return frame, (round(x), round(y))

    def _draw(self, frame: int, place: tuple[int, int]) -> PilImage.Image:
        picture = PilImage.open(io.BytesIO(self._frames[frame][1])).convert("RGB")
        arrow = [(place[0] + x, place[1] + y) for x, y in POINTER]
        ImageDraw.Draw(picture).polygon(arrow, fill="black", outline="white")
        return picture
