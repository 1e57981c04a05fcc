"""Name what a file is if it is no picture, and say what to send instead."""

from collections.abc import Callable

from core.errors import BadImage


def word() -> BadImage:
    return BadImage("This is a Word file, which I cannot open. Save it as a PDF and send that, or send a screenshot.")


def excel() -> BadImage:
    return BadImage("This is an Excel file, which I cannot open. Save it as a PDF and send that, or send a screenshot.")


def powerpoint() -> BadImage:
    return BadImage(
        "This is a PowerPoint file, which I cannot open. Save it as a PDF and send that, or send a screenshot."
    )


def office() -> BadImage:
    return BadImage(
        "This is an Office file, which I cannot open. Save it as a PDF and send that, or send a screenshot."
    )


def open_document() -> BadImage:
    return BadImage(
        "This is an OpenDocument file (from LibreOffice, for example), which I cannot open. Save it as a PDF and send "
        "that, or send a screenshot."
    )


def iwork() -> BadImage:
    return BadImage(
        "This is a Pages, Numbers or Keynote file, which I cannot open. Save it as a PDF and send that, or send "
        "a screenshot."
    )


def rich_text() -> BadImage:
    return BadImage(
        "This is a text document (RTF), which I cannot open. Save it as a PDF and send that, or send a screenshot."
    )


def ebook() -> BadImage:
    return BadImage("This is an e-book, which I cannot open. Send a screenshot of the page you mean.")


def mail() -> BadImage:
    return BadImage("This is an e-mail, which I cannot open. Send its attached pictures, or a screenshot of it.")


def svg() -> BadImage:
    return BadImage("This is an SVG drawing, which I cannot open. Please send it as PNG, or send a screenshot.")


def web_page() -> BadImage:
    return BadImage("This is a web page, not a picture. Please send the picture itself, or send a screenshot.")


def video() -> BadImage:
    return BadImage("This is a video. Please send a single picture from it, such as a screenshot.")


def sound() -> BadImage:
    return BadImage("This is a sound file. I can only look at pictures and PDF files.")


def photoshop() -> BadImage:
    return BadImage("This is a Photoshop file, which I cannot open. Please send it as PNG or JPEG.")


def jpeg_xl() -> BadImage:
    return BadImage("This is a JPEG XL picture, which I cannot open. Please send it as PNG or JPEG.")


def jpeg_2000() -> BadImage:
    return BadImage("This is a JPEG 2000 picture, which I cannot open. Please send it as PNG or JPEG.")


def postscript() -> BadImage:
    return BadImage("This is a PostScript drawing, which I cannot open. Please send it as PDF or PNG.")


def raw() -> BadImage:
    return BadImage("This is a camera's raw file, which I cannot open. Please send it as JPEG.")


def preview() -> BadImage:
    return BadImage("Only a small preview in this file can be opened. Please send the picture as JPEG.")


def archive() -> BadImage:
    return BadImage("This is an archive. Please unpack it and send the pictures themselves.")


def text() -> BadImage:
    return BadImage("This is a text file. Please send a picture, or paste the text into your question.")


BY_ENDING: dict[str, Callable[[], BadImage]] = {
    **dict.fromkeys(("doc", "docx", "docm", "dot", "dotx", "wps"), word),
    **dict.fromkeys(("xls", "xlsx", "xlsm", "xlsb", "et"), excel),
    **dict.fromkeys(("ppt", "pptx", "pptm", "pps", "ppsx", "dps"), powerpoint),
    **dict.fromkeys(("odt", "ods", "odp", "odg"), open_document),
    **dict.fromkeys(("pages", "numbers", "key"), iwork),
    **dict.fromkeys(("epub", "mobi", "azw3"), ebook),
    **dict.fromkeys(("eml", "msg"), mail),
    **dict.fromkeys(("zip", "rar", "7z", "gz", "tgz", "tar", "bz2", "xz"), archive),
    **dict.fromkeys(("html", "htm", "xhtml", "mhtml"), web_page),
    **dict.fromkeys(("mp4", "mov", "m4v", "mkv", "webm", "avi", "wmv", "flv", "3gp", "ogv"), video),
    **dict.fromkeys(("mp3", "m4a", "wav", "ogg", "oga", "opus", "flac", "aac", "amr", "silk"), sound),
    **dict.fromkeys(("txt", "md", "csv", "json", "xml", "log", "py", "js"), text),
    **dict.fromkeys(("cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"), raw),
    "rtf": rich_text,
    "svg": svg,
    "svgz": svg,
    "psd": photoshop,
    "jxl": jpeg_xl,
    "jp2": jpeg_2000,
    "eps": postscript,
}


def by_name(name: str, media_type: str = "") -> BadImage | None:
    """Return the refusal for a file by its name alone, before it is fetched. None if the name says nothing."""
    ending = name.rpartition(".")[2].lower()
    if ending in BY_ENDING:
        return BY_ENDING[ending]()
    kinds = {"video": video, "audio": sound, "text": text}
    kind = kinds.get(media_type.partition("/")[0])
    return kind() if kind else None
