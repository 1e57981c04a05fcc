"""Choose which frame of an animation to look at: the first one may be blank."""

from collections.abc import Callable

from PIL import Image

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
DRAWN_CONTRAST = 64  # of 255: a drawing differs at least so much from its background
NOISE_CONTRAST = 8  # of 255: a blank frame may vary so much
SEARCHED_FRAMES = 200
SEARCHED_PIXELS = 200_000_000  # of all searched frames together


def is_animated(image: Image.Image) -> bool:
    """Return whether an image that is not loaded yet is an animation. Loading a GIF loses that."""
    try:
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))
    except Exception:  # anything may follow a good frame
        return False


def choose_frame(
    image: Image.Image,
    check: Callable[[int, int], None],
    render: Callable[[Image.Image], tuple[Image.Image, bool]],
) -> tuple[Image.Image, int]:
    """Return the first frame with something on it, as rendered, and its number from 1.

    If every frame is faint, the one with the most contrast is returned. The first frame is loaded already. `check`
    refuses a size; `render` also returns whether anything can be seen.
    """
    best, seen = render(image)
    number, most = 1, _contrast(best) if seen else 0
    looked_at = image.width * image.height
    for frame in range(1, SEARCHED_FRAMES):
        if most >= DRAWN_CONTRAST:
            break
        try:
            image.seek(frame)
            check(*image.size)
            looked_at += image.width * image.height
            if looked_at > SEARCHED_PIXELS:
                break
            image.load()
        except MemoryError:
            raise
        except Exception:  # no frame is left, or the file is broken from here on
            break
        rendered, seen = render(image)
        if seen and (shown := _contrast(rendered)) > most + NOISE_CONTRAST:
            best, number, most = rendered, frame + 1, shown
    return best, number


def _contrast(picture: Image.Image) -> int:
    """Return the largest difference within any colour channel."""
    extrema = picture.getextrema()
    return max(int(high - low) for low, high in extrema if isinstance(low, int | float))  # type: ignore[misc]
