"""Chooses the frame of an animation that is looked at: the first one may be blank."""

from collections.abc import Callable

from PIL import Image

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
ENOUGH = 64  # of 255; what is drawn differs at least so much from its ground
NOISE = 8  # of 255; what a blank frame may vary by
FRAMES = 200  # that are looked at, and
PIXELS = 200_000_000  # of all of them together


def is_animated(image: Image.Image) -> bool:
    """Asked before loading, because a GIF loses what it has decoded."""
    try:
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))
    except Exception:  # behind a good frame anything may follow
        return False


def choose_frame(
    image: Image.Image,
    check: Callable[[int, int], None],
    render: Callable[[Image.Image], tuple[Image.Image, bool]],
) -> tuple[Image.Image, int]:
    """The first frame with something on it, as it is rendered, and its number from 1; else the one with the most.

    The first frame is loaded already. `check` refuses a size; `render` also says whether anything is to be seen.
    """
    best, seen = render(image)
    number, most = 1, _contrast(best) if seen else 0
    looked_at = image.width * image.height
    for frame in range(1, FRAMES):
        if most >= ENOUGH:
            break
        try:
            image.seek(frame)
            check(*image.size)
            looked_at += image.width * image.height
            if looked_at > PIXELS:
                break
            image.load()
        except MemoryError:
            raise
        except Exception:  # there are no more, or the file is broken from here on
            break
        rendered, seen = render(image)
        if seen and (shown := _contrast(rendered)) > most + NOISE:
            best, number, most = rendered, frame + 1, shown
    return best, number


def _contrast(picture: Image.Image) -> int:
    """The largest difference in any of its colours."""
    extrema = picture.getextrema()
    return max(int(high - low) for low, high in extrema if isinstance(low, int | float))  # type: ignore[misc]
