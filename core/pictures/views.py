"""Cut what is seen of a picture out of its data, for engines elsewhere."""

import io

from PIL import Image as Pillow

from core.conversation import Image


def view_png(view: Image) -> bytes:
    """Return a view of a picture (see `Image.views`) as PNG."""
    if not view.tiles:
        return view.data
    file = io.BytesIO()
    with Pillow.open(io.BytesIO(view.data)) as whole:
        whole.crop(*view.tiles).save(file, "PNG", compress_level=3)
    return file.getvalue()
