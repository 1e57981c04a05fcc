"""Cut a part out of a picture, at the full pixels of the file where that was kept."""

from core.image import Image
from core.pictures import workers
from core.pictures.images import ImagesConfig
from core.pictures.jpeg import takes_long
from core.regions import LEAST_PIXELS, Region


async def cut(image: Image, region: Region, config: ImagesConfig = ImagesConfig()) -> Image:
    """Return a part of a picture, cut out of its original, or of its `data` where there is none.

    The part's `original_size` counts the pixels of the picture as it was sent. Raises what `make_image` raises.
    """
    data = image.original or image.data
    # It stays whole: a cut may part a name from its value, and who wants more can look closer once again.
    options = {**config.budget, "region": region.corners, "tiles": 1}
    [(made, png)] = await workers.run("core.pictures.decoder:picture", data, options, slow=takes_long(data))
    left, top, right, bottom = region.pixels(*image.original_size, LEAST_PIXELS)
    return Image(made["id"], png, made["width"], made["height"], (right - left, bottom - top))
