"""Downloads what people send. Telegram's trouble becomes a sentence, or another try."""

import asyncio
import logging

from telegram import Bot
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter, TelegramError

from bots.telegram.message import SentFile
from bots.telegram.request import understood, wait_of
from core.errors import BadImage, TooLarge
from core.images import Config as ImagesConfig
from core.images import check_size

log = logging.getLogger(__name__)
TRIES = 8
MIB = 1 << 20


async def download(bot: Bot, file: SentFile, images: ImagesConfig) -> bytes:
    """The file's bytes. Raises `BotError`."""
    if file.size:
        check_size(file.size, images)
    for attempt in range(TRIES):
        try:
            return bytes(await understood(_get(bot, file)))
        except BadRequest as error:
            if "too big" in error.message.lower():
                raise TooLarge(
                    "This file has {size} MB; Telegram hands over at most 20 MB to bots. "
                    "Please send a smaller one, or as a photo.",
                    size=f"{(file.size or 0) / MIB:.1f}",
                ) from error
            log.warning("Telegram does not hand over a file: %s", error)
            break
        except RetryAfter as error:
            await asyncio.sleep(wait_of(error))
        except Forbidden as error:
            log.warning("Telegram does not hand over a file: %s", error)
            break
        except (InvalidToken, TelegramError):  # a link that ran out looks like a bad token: ask for a new one
            await asyncio.sleep(min(10.0, 0.25 * 2**attempt))
    raise BadImage("Telegram did not hand over your file. Please send it again in a moment.")


async def _get(bot: Bot, file: SentFile) -> bytearray:
    return await (await bot.get_file(file.id)).download_as_bytearray()
