"""Make a contact sheet: the pictures of a conversation, small, side by side, with their numbers."""

from collections.abc import Sequence

from core.conversation import Picture
from core.pictures import workers


async def contact_sheet(pictures: Sequence[Picture]) -> bytes:
    """Return the sheet as PNG. `pictures` must not be empty."""
    files = [picture.image.data for picture in pictures]
    options = {"sizes": [len(file) for file in files], "numbers": [picture.number for picture in pictures]}
    [(_, png)] = await workers.run("core.pictures.drawing:sheet", b"".join(files), options)
    return png
