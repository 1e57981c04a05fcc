"""PDF and TIFF documents for the tests, written by hand, so that each byte is known."""

import io
from collections.abc import Sequence

from PIL import Image

A4 = (595, 842)  # points


def pdf(texts: Sequence[str], size: tuple[float, float] = A4, extra: str = "") -> bytes:
    """A page per text, in large letters; the page's background has the shade of its number."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {extra} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
        font,
    ]
    width, height = size
    for n, text in enumerate(texts):
        shade = 1 - 0.1 * (n + 1)
        drawing = f"{shade} g 0 0 {width} {height} re f 0 g BT /F1 48 Tf 50 {height / 2} Td ({text}) Tj ET"
        page = f"/Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {5 + 2 * n} 0 R"
        objects.append(f"<< /Type /Page {page} /Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
    return _file(objects)


def _file(objects: Sequence[str]) -> bytes:
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode() + tail.encode()


def locked_pdf() -> bytes:
    """Encrypted with a password that nobody knows."""
    secret = "<" + "ab" * 32 + ">"
    encrypt = f"<< /Filter /Standard /V 1 /R 2 /O {secret} /U {secret} /P -4 >>"
    whole = pdf(["secret"]).decode()
    return whole.replace("/Root 1 0 R", f"/Root 1 0 R /Encrypt {encrypt} /ID [<00><00>]").encode()


def tiff(shades: Sequence[int], size: tuple[int, int] = (300, 400), thumbnail: bool = False) -> bytes:
    """A grey page per shade; with `thumbnail`, a small version of the first page behind it."""
    pages = [Image.new("L", size, shade) for shade in shades]
    if thumbnail:
        small = Image.new("L", (30, 40), shades[0])
        small.encoderinfo = {"tiffinfo": {254: 1}}
        pages.insert(1, small)
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()
