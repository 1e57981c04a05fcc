"""What the scans of a JPEG file say, before a pixel is decoded (ITU-T T.81)."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

PROGRESSIVE, SCAN = 0xC2, 0xDA  # markers: start of such a frame, start of a scan
ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # no segment follows; 0x00 is a byte of the scan itself
LAST_FREQUENCY = 63


def coefficient_bytes(image: Image.Image) -> int:
    """What libjpeg keeps of a picture that was opened, at whatever scale it is decoded: all of a progressive one."""
    opened: Any = image
    if not image.info.get("progressive"):
        return 0
    shares: list[int] = [
        across * down for _, across, down, _ in opened.layer
    ]  # 1 to 4 each way, of the component with most
    return image.width * image.height * 2 * sum(shares) // max(shares)


def is_progressive(data: bytes) -> bool:
    return any(marker == PROGRESSIVE for marker, _ in _segments(data))


def has_all_frequencies(data: bytes) -> bool:
    """Whether one scan of the brightness that goes to the finest detail is whole: then print can be read."""
    first, found = None, False
    for marker, segment in _segments(data):
        if marker != SCAN or len(segment) < 6:
            continue
        if found:
            return True
        count = segment[0]
        first = segment[1] if first is None else first
        found = segment[1] == first and segment[2 + 2 * count : 3 + 2 * count] == bytes([LAST_FREQUENCY])
    return False


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in ALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + size]
        at += 2 + size
