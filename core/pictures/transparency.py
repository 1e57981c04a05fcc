"""Chooses what a transparent picture is laid on: white print on white paper would be gone."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

WHITE, BLACK = 255, 0
SAMPLE = 1 << 20  # pixels that are looked at
FAINT = 16  # of 255; where nothing is more opaque than that, the alpha channel is no picture's
NEAR = 80  # of 255; print that differs less from its ground is hard to read
SOME, MUCH = 0.02, 0.1  # shares of the outline that are lost on a ground
PRINT = 0.15  # pixels of outline to one that is visible: print is thin
AROUND = 4  # strokes' widths to each side of print that its ground goes, which is half a letter's height


@dataclass(frozen=True, slots=True)
class Transparency:
    """`ground` is a shade, or where print is light here and dark there, a small picture (L) of black and white.

    With `hides_all` the alpha channel counts for nothing.
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
        if most < FAINT:
            return Transparency(WHITE, image.height, hides_all=True)
        visible = alpha.point(lambda value: 255 if value >= most / 2 else 0)
        outline = ImageChops.subtract(visible, visible.filter(ImageFilter.MinFilter(3)))
        shades = sample.convert("RGB").convert("L")
        return Transparency(_ground(shades, visible, outline), image.height)

    def flattened(self, part: Image.Image, top: int) -> Image.Image:
        """All columns of the picture, from row `top`, as RGB."""
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
    """Smaller, without a shade that is not in the picture."""
    factor = (SAMPLE / (image.width * image.height)) ** 0.5
    if factor >= 1:
        return image
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.NEAREST)


def _ground(shades: Image.Image, visible: Image.Image, outline: Image.Image) -> int | Image.Image:
    """White, unless some print would be lost on it."""
    histogram = shades.histogram(outline)
    edge, area = sum(histogram), visible.histogram()[255]
    lost_on_white, lost_on_black = sum(histogram[WHITE - NEAR :]), sum(histogram[: BLACK + NEAR])
    if min(lost_on_white, lost_on_black) > MUCH * edge and edge > PRINT * area:
        return _patches(shades, visible, round(AROUND * 2 * area / edge))
    return WHITE if lost_on_white <= lost_on_black + SOME * edge else BLACK


def _patches(shades: Image.Image, visible: Image.Image, radius: int) -> Image.Image:
    """Black around light print, white elsewhere."""
    blur = ImageFilter.BoxBlur(radius)
    light = ImageChops.multiply(shades, visible).filter(blur).point(lambda value: min(2 * value, 255))
    return ImageChops.subtract(light, visible.filter(blur)).point(lambda value: BLACK if value else WHITE)
