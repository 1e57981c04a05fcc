"""Cut what is seen of a picture out of its data, for engines elsewhere."""

import io

from PIL import Image as Pillow

from core.image import Image


def view_png(view: Image) -> bytes:
    """Return a view of a picture (see `Image.views` and `Image.untiled`) as PNG."""
    size = (view.width, view.height)
    with Pillow.open(io.BytesIO(view.data)) as whole:
        if not view.tiles and whole.size == size:
            return view.data
        file = io.BytesIO()
        whole.crop(*view.tiles).resize(size, Pillow.Resampling.LANCZOS).save(file, "PNG", compress_level=3)
    return file.getvalue()
