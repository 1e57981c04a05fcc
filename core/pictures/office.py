"""Tell the files of office programs from each other and from archives, and say what to send instead."""

import io
import re
import zipfile

from core.pictures import refusals

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Word, Excel and PowerPoint until 2007, and Outlook
ZIP = b"PK\x03\x04"
# A zip's local header up to the name; the group is the name's length.
ENTRY = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)


def refuse_office(data: bytes) -> None:
    """Raise `BadImage` for a document of an office program."""
    if data.startswith(b"{\\rtf"):
        raise refusals.rich_text()
    if data.startswith(OLE):
        _refuse_old(data)
    if data.startswith(ZIP):
        _refuse_zipped(data)


def _refuse_old(data: bytes) -> None:
    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in data

    if holds("WordDocument"):
        raise refusals.word()
    if holds("Workbook") or holds("Book"):
        raise refusals.excel()
    if holds("PowerPoint Document"):
        raise refusals.powerpoint()
    if holds("__substg1.0_"):
        raise refusals.mail()
    raise refusals.office()


def _refuse_zipped(data: bytes) -> None:
    names = _names(data)
    if any(name.startswith("word/") for name in names):
        raise refusals.word()
    if any(name.startswith("xl/") for name in names):
        raise refusals.excel()
    if any(name.startswith("ppt/") for name in names):
        raise refusals.powerpoint()
    if b"mimetypeapplication/vnd.oasis.opendocument." in data[:256]:
        raise refusals.open_document()
    if b"mimetypeapplication/epub+zip" in data[:256]:
        raise refusals.ebook()
    if any(name.endswith(".iwa") or name == "Index.zip" for name in names):
        raise refusals.iwork()


def _names(data: bytes) -> list[str]:
    """Return the names in a zip file. If its end is missing, return those that can be found."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return file.namelist()
    except Exception:  # a broken zip file raises nearly anything
        found = ((match.end(), int.from_bytes(match[1], "little")) for match in ENTRY.finditer(data))
        return [data[at : at + length].decode("utf-8", "replace") for at, length in found]
