"""What the scans of a JPEG file say, before a pixel is decoded (ITU-T T.81)."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PROGRESSIVE, SCAN, END = 0xC2, 0xDA, 0xD9  # markers: start of such a frame, start of a scan, end of the picture
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # that a segment follows; 0xFF 0x00 is a byte of a scan
LAST_FREQUENCY = 63
USUAL_SCANS = 30  # an encoder that tries hard makes a dozen
USUAL_SEGMENTS = 1000  # metadata may take a few hundred


def takes_long(data: bytes) -> bool:
    """Return whether decoding goes over the picture unusually often, as each scan of a progressive JPEG does.

    Only the first picture of the file counts, and nothing in its metadata, a thumbnail for example.
    """
    markers = [marker for marker, _ in islice(_segments(data), USUAL_SEGMENTS + 1)]
    unusual = len(markers) > USUAL_SEGMENTS or markers.count(SCAN) > USUAL_SCANS
    return unusual and data.startswith(b"\xff\xd8")


def coefficient_bytes(image: "Image.Image") -> int:
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
    """Yield the marker and the content of each segment of the first picture."""
    at = 2
    while (found := MARKER.search(data, at)) and (marker := found[1][0]) != END:
        begin = found.end() + 2
        at = found.end() + int.from_bytes(data[found.end() : begin], "big")
        yield marker, data[begin:at]
