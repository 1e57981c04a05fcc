"""What a file is that is no picture, by its first bytes, and what to send instead. Its name proves nothing."""

from core.errors import BadImage

VIDEO = (b"\x1aE\xdf\xa3", b"FLV", b"OggS", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u")
ARCHIVE = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")
SOUND = (b"ID3", b"fLaC", b"#!AMR", b"MThd")
STILL = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"miaf", b"1pic")
PICTURE = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TEXT = frozenset(range(0x20, 0x100)) | set(b"\t\n\r\f\x1b")


def refuse_others(data: bytes) -> None:
    """Raises `BadImage` for what certainly is something else; says nothing about whether the rest is a good picture."""
    start = data[:1024]
    words = start.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").lower()
    if start.startswith(b"%PDF-"):
        raise BadImage("This is a PDF. Please send it as a document, or send a screenshot of the page you mean.")
    if b"<svg" in words and words.startswith((b"<svg", b"<?xml", b"<!")):
        raise BadImage("This is an SVG drawing, which I cannot open. Please send it as PNG, or send a screenshot.")
    if words.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        raise BadImage("This is a web page, not a picture. Please send the picture itself, or send a screenshot.")
    if start.startswith(VIDEO) or _riff(start, b"AVI ") or (start[4:8] == b"ftyp" and start[8:12] not in STILL):
        raise BadImage("This is a video. Please send a single picture from it, such as a screenshot.")
    if start.startswith(SOUND) or _riff(start, b"WAVE"):
        raise BadImage("This is a sound file. I can only look at pictures.")
    if start.startswith(ARCHIVE):
        raise BadImage("This is an archive. Please unpack it and send the pictures themselves.")
    if not any(start):
        raise BadImage("This file holds nothing but zeros. Please send the picture again.")
    if not start.startswith((b"GIF8", b"BM")) and TEXT.issuperset(start) and _decodes(start):
        raise BadImage("This is a text file. Please send a picture, or paste the text into your question.")


def claims_picture(data: bytes) -> bool:
    """It begins like a picture, so that what cannot be opened is damaged rather than something else."""
    return data.startswith(PICTURE) or _riff(data, b"WEBP") or (data[4:8] == b"ftyp" and data[8:12] in STILL)


def _riff(start: bytes, kind: bytes) -> bool:
    return start.startswith(b"RIFF") and start[8:12] == kind


def _decodes(start: bytes) -> bool:
    try:
        start[: len(start) - 4 if len(start) > 8 else None].decode()
    except UnicodeDecodeError:
        return False
    return True
