"""Load PDFium with a font for documents that bring none: without one, their Chinese would be missing silently."""

import ctypes
import functools
from typing import Any

from core.pictures import fonts

# Where PDFium itself looks on Linux (core/fxge/linux/fx_linux_impl.cpp); our list replaces its own.
SYSTEM_FOLDERS: tuple[str, ...] = (
    "/usr/share/fonts",
    "/usr/share/X11/fonts/Type1",
    "/usr/share/X11/fonts/TTF",
    "/usr/local/share/fonts",
)

_kept: list[Any] = []  # PDFium keeps reading its configuration


@functools.cache
def load() -> Any:
    """Return the module `pypdfium2`, set up to find the system's fonts and ours."""
    import pypdfium2
    from pypdfium2 import raw

    texts = [ctypes.create_string_buffer(folder.encode()) for folder in (*SYSTEM_FOLDERS, str(fonts.FOLDER))]
    pointer = ctypes.POINTER(ctypes.c_char)
    paths = (pointer * (len(texts) + 1))(*(ctypes.cast(text, pointer) for text in texts))  # the last one is null
    raw.FPDF_DestroyLibrary()  # importing the module has begun it, with PDFium's own list
    config = raw.FPDF_LIBRARY_CONFIG(version=2, m_pUserFontPaths=paths)
    raw.FPDF_InitLibraryWithConfig(config)
    _kept.append((config, paths, texts))
    return pypdfium2
