"""Choose a background for a transparent picture: white print on white would be invisible."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

WHITE, BLACK = 255, 0
SAMPLE_PIXELS = 1 << 20
FAINT_ALPHA = 16  # of 255; if nothing is more opaque, the alpha channel is a mistake
LEGIBLE_CONTRAST = 80  # of 255; print that differs less from its background is hard to read
SOME_LOST_SHARE, MUCH_LOST_SHARE = 0.02, 0.1  # of the outline, lost on a background
PRINT_OUTLINE_SHARE = 0.15  # of the visible pixels; print is thin, so it has much outline
GROUND_STROKES = 4  # stroke widths of background around print: half a letter's height


@dataclass(frozen=True, slots=True)
class Transparency:
    """A background. `ground` is a shade or, where print is light here and dark there, a small black and white picture.

    With `hides_all` the alpha channel is ignored.
    """

    ground: int | Image.Image
    height: int
    hides_all: bool = False

    @staticmethod
    def of(image: Image.Image) -> "Transparency":
        sample = _sample(image).convert("RGBA")
        alpha = sample.getchannel("A")
        _, most = alpha.getextrema()
        assert isinstance(most, int)
        if most < FAINT_ALPHA:
            return Transparency(WHITE, image.height, hides_all=True)
        visible = alpha.point(lambda value: 255 if value >= most / 2 else 0)
        outline = ImageChops.subtract(visible, visible.filter(ImageFilter.MinFilter(3)))
        shades = sample.convert("RGB").convert("L")
        return Transparency(_ground(shades, visible, outline), image.height)

    def flattened(self, part: Image.Image, top: int) -> Image.Image:
        """Return a strip of the picture, from row `top`, as RGB on the background."""
        part = part.convert("RGBA")
        if self.hides_all:
            return part.convert("RGB")
        if isinstance(self.ground, int):
            shade = Image.new("L", part.size, self.ground)
        else:
            scale = self.ground.height / self.height
            rows = 0, top * scale, self.ground.width, min((top + part.height) * scale, self.ground.height)
            shade = self.ground.resize(part.size, Image.Resampling.NEAREST, box=rows)
        ground = Image.merge("RGBA", (shade, shade, shade, Image.new("L", part.size, 255)))
        return Image.alpha_composite(ground, part).convert("RGB")


def _sample(image: Image.Image) -> Image.Image:
    """Return a smaller image that has only shades of the picture."""
    factor = (SAMPLE_PIXELS / (image.width * image.height)) ** 0.5
    if factor >= 1:
        return image
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.NEAREST)


def _ground(shades: Image.Image, visible: Image.Image, outline: Image.Image) -> int | Image.Image:
    """Return white unless some print would be lost on it."""
    histogram = shades.histogram(outline)
    edge, area = sum(histogram), visible.histogram()[255]
    lost_on_white, lost_on_black = (
        sum(histogram[WHITE - LEGIBLE_CONTRAST :]),
        sum(histogram[: BLACK + LEGIBLE_CONTRAST]),
    )
    if min(lost_on_white, lost_on_black) > MUCH_LOST_SHARE * edge and edge > PRINT_OUTLINE_SHARE * area:
        return _patches(shades, visible, round(GROUND_STROKES * 2 * area / edge))
    return WHITE if lost_on_white <= lost_on_black + SOME_LOST_SHARE * edge else BLACK


def _patches(shades: Image.Image, visible: Image.Image, radius: int) -> Image.Image:
    """Return black around light print, and white elsewhere."""
    blur = ImageFilter.BoxBlur(radius)
    light = ImageChops.multiply(shades, visible).filter(blur).point(lambda value: min(2 * value, 255))
    return ImageChops.subtract(light, visible.filter(blur)).point(lambda value: BLACK if value else WHITE)
