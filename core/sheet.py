"""A contact sheet: the pictures of a conversation, small, side by side, with their numbers."""

from collections.abc import Sequence

from core import workers
from core.conversation import Picture

MOST = 24  # pictures on one sheet; of more, the newest


async def contact_sheet(pictures: Sequence[Picture]) -> bytes:
    """PNG. `pictures` must not be empty."""
    shown = pictures[-MOST:]
    files = [picture.image.data for picture in shown]
    options = {"sizes": [len(file) for file in files], "numbers": [picture.number for picture in shown]}
    [(_, png)] = await workers.run("core.drawing:sheet", b"".join(files), options)
    return png
