"""Make PDF and TIFF documents for tests, written by hand, so that each byte is known."""

import io
import zlib
from collections.abc import Sequence

from PIL import Image

A4 = (595, 842)  # points


def pdf(texts: Sequence[str], size: tuple[float, float] = A4, extra: str = "") -> bytes:
    """Return a PDF with a page per text, in large letters; the page number decides the background's shade."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    objects: list[str | bytes] = [
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


CJK = {
    "STSong-Light": ("GB1", "UniGB-UCS2-H"),
    "MSung-Light": ("CNS1", "UniCNS-UCS2-H"),
    "HeiseiMin-W3": ("Japan1", "UniJIS-UCS2-H"),
    "HYSMyeongJo-Medium": ("Korea1", "UniKS-UCS2-H"),
}  # fonts that Adobe Reader brings, so that documents need not embed them: their characters and encoding


def cjk_pdf(lines: Sequence[str], font: str = "STSong-Light", size: tuple[float, float] = (260, 130)) -> bytes:
    """Return a PDF page that only names its font."""
    ordering, encoding = CJK[font]
    system = f"<< /Registry (Adobe) /Ordering ({ordering}) /Supplement 0 >>"
    metrics = "/Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 752 /Descent -271 /CapHeight 737 /StemV 58"
    latin = "/W [1 95 500]"  # half as wide as an ideograph
    text = " ".join(
        f"1 0 0 1 20 {size[1] - 50 - 50 * n} Tm <{line.encode('utf-16-be').hex()}> Tj" for n, line in enumerate(lines)
    )
    drawing = f"BT /F1 24 Tf {text} ET"
    return _file(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents 4 0 R "
            "/Resources << /Font << /F1 5 0 R >> >> >>",
            f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{font} /Encoding /{encoding} /DescendantFonts [6 0 R] >>",
            f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{font} /CIDSystemInfo {system} /DW 1000 {latin} "
            "/FontDescriptor 7 0 R >>",
            f"<< /Type /FontDescriptor /FontName /{font} {metrics} >>",
        ]
    )


def _file(objects: Sequence[str | bytes]) -> bytes:
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        content = body.encode() if isinstance(body, str) else body
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode() + tail.encode()


def locked_pdf() -> bytes:
    """Return a PDF encrypted with an unknown password."""
    secret = "<" + "ab" * 32 + ">"
    encrypt = f"<< /Filter /Standard /V 1 /R 2 /O {secret} /U {secret} /P -4 >>"
    whole = pdf(["secret"]).decode()
    return whole.replace("/Root 1 0 R", f"/Root 1 0 R /Encrypt {encrypt} /ID [<00><00>]").encode()


def tiff(shades: Sequence[int], size: tuple[int, int] = (300, 400), thumbnail: bool = False, mode: str = "L") -> bytes:
    """Return a TIFF with a grey page per shade; with `thumbnail`, a small version of the first page follows it."""
    pages = [Image.new("L", size, shade).convert(mode) for shade in shades]
    if thumbnail:
        small = Image.new("L", (30, 40), shades[0])
        small.encoderinfo = {"tiffinfo": {254: 1}}
        pages.insert(1, small)
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()


def hostile_papers() -> dict[str, bytes]:
    """Return small documents that would cost much if they were believed, by name."""
    whole = pdf(["One", "Two"])
    bomb = zlib.compress(b"0 0 m 9 9 l S " * 5_000_000, 9)
    return {
        "locked": locked_pdf(),
        "pages in a circle": whole.replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [2 0 R 2 0 R]"),
        "two thousand million pages": whole.replace(b"/Count 2", b"/Count 2000000000"),
        "page of a million metres": pdf(["One"], (1e9, 1e9)),
        "page of nothing": pdf(["One"], (0, 0)),
        "page inside out": pdf(["One"], (-90, -90)),
        "form that draws itself": _with_contents(
            b"/X Do", b"/XObject << /X 5 0 R >>", b"/Type /XObject /Subtype /Form"
        ),
        "stream bomb": _with_contents(bomb, b"", b"/Filter /FlateDecode"),
        "a million letters": pdf(["x" * 1_000_000]),
        "table in a circle": whole.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev 9"),
        "table beyond the end": whole.replace(b"startxref\n", b"startxref\n99999999"),
        "only a head": whole[:20],
        "no end": whole[:-200],
        "pages without end.tiff": _circular_tiff(),
    }


def _with_contents(stream: bytes, resources: bytes, more: bytes) -> bytes:
    """Return a page whose content is that stream."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 90 90] /Contents 5 0 R /Resources << %b >> >>" % resources
    contents = b"<< /Length %d /BBox [0 0 90 90] /Resources << %b >> %b >>\nstream\n%b\nendstream"
    return _file(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            "null",
            page,
            contents % (len(stream), resources, more, stream),
        ]
    )


def _circular_tiff() -> bytes:
    """Return a TIFF whose second directory is followed by its first."""
    whole = bytearray(tiff([9, 99], (30, 40)))
    first = int.from_bytes(whole[4:8], "little")
    for _ in range(2):
        link = first + 2 + 12 * int.from_bytes(whole[first : first + 2], "little")
        second = int.from_bytes(whole[link : link + 4], "little")
        if not second:
            whole[link : link + 4] = whole[4:8]
            break
        first = second
    return bytes(whole)
