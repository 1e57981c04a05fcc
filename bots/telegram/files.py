"""Download what people send. Telegram's errors become a sentence for the person, or another try."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from telegram import Bot
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter, TelegramError

from bots.conversing.request import Attachment
from bots.telegram.message import TelegramFile
from bots.telegram.transport import convert_errors, wait_of
from core.bounded_dict import BoundedDict
from core.errors import NotDelivered, TooLarge
from core.pictures.file_types import is_web_page
from core.pictures.images import ImagesConfig, check_size
from core.units import MEGABYTE

log = logging.getLogger(__name__)
TRIES = 8
MOST_UNDELIVERED_QUESTIONS = 1000
NOT_HANDED_OVER = NotDelivered("Telegram did not hand over your file. Please try again in a moment.")
NOT_WHOLE = NotDelivered("Your file did not arrive whole from Telegram. Please try again in a moment.")


class Undelivered:
    """Remembers the files of questions that Telegram did not deliver.

    A "Try again" button tells one message only, not the message that it replied to, nor the rest of its album.
    """

    def __init__(self) -> None:
        self._files: BoundedDict[tuple[int, int], tuple[TelegramFile, ...]] = BoundedDict(MOST_UNDELIVERED_QUESTIONS)

    def note(self, chat_id: int, question: int, files: Iterable[TelegramFile]) -> None:
        self._files[chat_id, question] = tuple(files)

    def has(self, chat_id: int, question: int) -> bool:
        return (chat_id, question) in self._files

    def take(self, chat_id: int, question: int) -> tuple[TelegramFile, ...]:
        """Remove and return a question's files. There are none if the question is unknown."""
        return self._files.pop((chat_id, question), ())


def attachments(
    bot: Bot,
    chat_id: int,
    question: int,
    files: tuple[TelegramFile, ...],
    images: ImagesConfig,
    undelivered: Undelivered,
) -> tuple[Attachment, ...]:
    """Return a question's files, to be downloaded when its turn comes."""

    async def read(file: TelegramFile) -> bytes:
        try:
            return await download(bot, file, images)
        except NotDelivered:
            undelivered.note(chat_id, question, files)
            raise

    return tuple(Attachment(partial(read, file), file.name) for file in files)


async def download(bot: Bot, file: TelegramFile, images: ImagesConfig) -> bytes:
    """Return the file's bytes. Raises `NotDelivered` and `TooLarge` with a sentence."""
    why = NOT_HANDED_OVER
    for attempt in range(TRIES):
        try:
            if (data := await convert_errors(_get(bot, file, images))) is not None:
                return data
            log.info("Telegram sent only part of a file")
            why = NOT_WHOLE
        except BadRequest as error:
            if "too big" in error.message.lower():
                raise TooLarge(
                    "This file has {size} MB; Telegram hands over at most 20 MB to bots. "
                    "Please send a smaller one, or as a photo.",
                    size=f"{(file.size or 0) / MEGABYTE:.1f}",
                ) from error
            log.warning("Telegram does not hand over a file: %s", error)
            break
        except RetryAfter as error:
            await asyncio.sleep(wait_of(error))
            continue
        except Forbidden as error:
            log.warning("Telegram does not hand over a file: %s", error)
            break
        except (InvalidToken, TelegramError):  # an expired link looks like a bad token, so get a new one
            why = NOT_HANDED_OVER
        await asyncio.sleep(min(10.0, 0.25 * 2**attempt))
    raise NotDelivered(why.sentence)


async def _get(bot: Bot, file: TelegramFile, images: ImagesConfig) -> bytes | None:
    """Return the bytes, or None if they are not what was announced: only a part, or a web page instead."""
    found = await bot.get_file(file.id)  # checked before our own limit, because Telegram's is smaller
    announced = found.file_size or file.size
    if announced:
        check_size(announced, images)
    data = bytes(await found.download_as_bytearray())
    whole = len(data) == announced or (len(data) >= (announced or 1) and not is_web_page(data))
    return data if whole else None
