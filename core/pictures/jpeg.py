"""Read what the scans of a JPEG file say, before a pixel is decoded (ITU-T T.81)."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PROGRESSIVE, SCAN, END = 0xC2, 0xDA, 0xD9  # markers: start of a progressive frame, start of a scan, end of picture
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # a segment follows; 0xFF 0x00 is a byte of a scan
LAST_FREQUENCY = 63
USUAL_SCANS = 30  # an encoder that tries hard makes a dozen
USUAL_SEGMENTS = 1000  # metadata may take a few hundred


def takes_long(data: bytes) -> bool:
    """Return whether the file has so many scans that decoding takes unusually long.

    Only the first picture of the file counts, not its metadata, such as a thumbnail.
    """
    markers = [marker for marker, _ in islice(_segments(data), USUAL_SEGMENTS + 1)]
    unusual = len(markers) > USUAL_SEGMENTS or markers.count(SCAN) > USUAL_SCANS
    return unusual and data.startswith(b"\xff\xd8")


def coefficient_bytes(image: "Image.Image") -> int:
    """Return the bytes of coefficients that libjpeg keeps while decoding at any scale.

    It keeps all coefficients of a progressive picture.
    """
    opened: Any = image
    if not image.info.get("progressive"):
        return 0
    # Sampling factors, 1 to 4 each way; the component with the most has all pixels.
    shares: list[int] = [across * down for _, across, down, _ in opened.layer]
    return image.width * image.height * 2 * sum(shares) // max(shares)


def is_progressive(data: bytes) -> bool:
    return any(marker == PROGRESSIVE for marker, _ in _segments(data))


def has_all_frequencies(data: bytes) -> bool:
    """Return whether a scan of the brightness up to the finest detail is complete, so that print can be read."""
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
