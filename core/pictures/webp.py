"""Continue a WebP file that ends too early: its decoder shows nothing of an incomplete file."""

CHUNKS_OFFSET = 12  # behind the RIFF header
PICTURES = (b"VP8 ", b"VP8L")


def is_short(data: bytes) -> bool:
    """Return whether it is a WebP file that ends before its own length."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) < 8 + _size(data, 0)


def gone_on(data: bytes, filling: bytes, length: int) -> bytes:
    """Return the file with `filling` and zeros where its picture is cut, and only whole other chunks."""
    at = CHUNKS_OFFSET
    while at + 8 <= len(data) and (end := at + 8 + _size(data, at)) <= len(data):
        at = end + end % 2
    whole = data[:at]
    if data[at : at + 4] in PICTURES:
        content = data[at + 8 :] + filling + bytes(length)
        content += bytes(len(content) % 2)
        whole += data[at : at + 4] + len(content).to_bytes(4, "little") + content
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def _size(data: bytes, at: int) -> int:
    """Return the size of the chunk at this offset."""
    return int.from_bytes(data[at + 4 : at + 8], "little")
