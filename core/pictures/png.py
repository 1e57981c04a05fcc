"""Remove unneeded text from a PNG file: some programs write megabytes of it."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
ORIENTING = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # texts that may contain the orientation
UNPACKED_BYTES = 4 << 20  # a larger text or colour profile is left out


def without_texts(data: bytes) -> bytes:
    """Return a PNG without its texts and without anything that unpacks to more than `UNPACKED_BYTES`.

    Other files are returned unchanged.
    """
    if not data.startswith(SIGNATURE):
        return data
    kept, at, since = [], len(SIGNATURE), 0
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if (kind in TEXTS or kind == b"iCCP") and not _is_needed(kind, data[at + 8 : end - 4]):
            kept.append(data[since:at])
            since = end
        at = end
    return b"".join([*kept, data[since:]]) if kept else data


def _is_needed(kind: bytes, content: bytes) -> bool:
    if kind in TEXTS and not content.startswith(ORIENTING):
        return False
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and not rest.startswith(b"\1")):
        return len(rest) <= UNPACKED_BYTES
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]  # after its language and title
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, UNPACKED_BYTES)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail
