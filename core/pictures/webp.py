"""A WebP file that ends too early, as one that goes on: its decoder shows nothing of a file that is not whole."""

CHUNKS = 12  # where they begin, behind what RIFF says
PICTURES = (b"VP8 ", b"VP8L")


def is_short(data: bytes) -> bool:
    """Whether it is a WebP file that ends before it says that it does."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) < 8 + _size(data, 0)


def gone_on(data: bytes, filling: bytes, length: int) -> bytes:
    """With `filling` and zeros where its picture is cut; of other chunks, only the whole ones are left."""
    at = CHUNKS
    while at + 8 <= len(data) and (end := at + 8 + _size(data, at)) <= len(data):
        at = end + end % 2
    whole = data[:at]
    if data[at : at + 4] in PICTURES:
        content = data[at + 8 :] + filling + bytes(length)
        content += bytes(len(content) % 2)
        whole += data[at : at + 4] + len(content).to_bytes(4, "little") + content
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def _size(data: bytes, at: int) -> int:
    """Of the chunk that begins there."""
    return int.from_bytes(data[at + 4 : at + 8], "little")
