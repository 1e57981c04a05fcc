"""Download people's files from Slack."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from urllib.parse import urljoin, urlsplit

import aiohttp

from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import RetryLater
from bots.conversing.request import Attachment
from bots.slack.access import AccessLost, Declined
from bots.slack.api import SlackApi, patiently, retry_after
from bots.slack.events import SlackFile
from core.errors import BadImage, NotDelivered
from core.pictures.file_types import is_web_page
from core.pictures.images import ImagesConfig, check_size

log = logging.getLogger(__name__)
REDIRECTS = 3
DOWNLOAD_ATTEMPTS = 4  # when a file comes incomplete, or as a web page
GONE_MODES = ("tombstone", "hidden_by_limit")
GONE_WORDS = ("file_deleted", "file_not_found")
PAGE = b"<html"


class Files:
    def __init__(self, slack: SlackApi, images: ImagesConfig) -> None:
        self._slack = slack
        self._images = images

    def attachments(self, files: Sequence[SlackFile]) -> tuple[Attachment, ...]:
        """Return what is downloaded when its turn comes."""
        return tuple(Attachment(partial(self.download, file), file.shown) for file in files)

    async def download(self, file: SlackFile) -> bytes:
        """Return the whole file as Slack keeps it. Raises `BotError` with a sentence."""
        if file.file_access == "check_file_info":  # Slack Connect: the event only carries its id
            file = await self._look_up(file)
        if file.mode in GONE_MODES or file.file_access == "file_not_found":
            raise _deleted(file)
        if file.size:
            check_size(file.size, self._images)
        url = file.url_private_download or file.url_private or ""
        if file.is_external or file.mode == "external" or not self._is_slacks(url):
            raise _not_slacks(file)
        data = await self._insist(file, url)
        if is_web_page(data):
            raise await self._why_a_page(file)
        return data

    async def _insist(self, file: SlackFile, url: str) -> bytes:
        """Return the file, or the web page that comes instead of it each time."""
        backoff, page = Backoff(), False
        while backoff.failures < DOWNLOAD_ATTEMPTS:
            try:
                self._slack.access.check()
                data = await self._get(file, url)
            except AccessLost as outage:
                await asyncio.sleep(outage.seconds)
                continue
            except RetryLater as later:
                await asyncio.sleep(max(later.seconds, backoff.next_pause()))
                continue
            page = is_web_page(data)
            if not page and len(data) >= (file.size or 0):
                return data
            log.info("Slack handed over %s, trying again", "a web page" if page else "a part of a file")
            await asyncio.sleep(backoff.next_pause())
        if page:
            return PAGE
        raise NotDelivered("Slack did not hand over {name}. Please try again in a moment.", name=file.shown)

    async def _get(self, file: SlackFile, url: str) -> bytes:
        """Fetch an address, following redirects by hand, because only Slack may get the token."""
        try:
            for _ in range(REDIRECTS):
                headers = {"Authorization": f"Bearer {self._slack.token}"} if self._is_slacks(url) else {}
                async with self._slack.session.get(url, headers=headers, allow_redirects=False) as answer:
                    if answer.status not in (301, 302, 303, 307, 308):
                        return await self._read(file, answer)
                    url = urljoin(url, answer.headers.get("Location", ""))
        except (aiohttp.InvalidURL, ValueError):
            raise _not_slacks(file) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._slack.unclear(type(error).__name__) from error
        return PAGE  # Slack's login redirects in circles

    async def _read(self, file: SlackFile, answer: aiohttp.ClientResponse) -> bytes:
        if answer.status == 429:
            raise RetryLater(retry_after(answer.headers))
        if answer.status >= 500:
            raise self._slack.unclear(f"HTTP {answer.status}")
        if answer.content_type == "text/html":
            return PAGE
        if answer.status in (404, 410):
            raise _deleted(file)
        if answer.status != 200:
            raise BadImage("Slack does not give me that file any more. Please upload it again.")
        data = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            data += chunk
            check_size(len(data), self._images)
        return bytes(data)

    async def _why_a_page(self, file: SlackFile) -> BadImage:
        await patiently(partial(self._slack.call, self._slack.client.auth_test))  # waits where the token is refused
        try:
            if file.id:
                await patiently(partial(self._slack.ask, self._slack.client.files_info, file=file.id))
        except Declined as declined:
            if declined.error in GONE_WORDS:
                return _deleted(file)
        log.error(
            "Slack gave its login page instead of a picture: the bot token lacks the scope files:read. Add it on "
            "api.slack.com/apps under OAuth & Permissions, then reinstall the app to the workspace."
        )
        return BadImage(
            "Slack does not let me read {name}. The person who runs me finds in my log what to do.", name=file.shown
        )

    async def _look_up(self, file: SlackFile) -> SlackFile:
        try:
            answer = await patiently(partial(self._slack.call, self._slack.client.files_info, file=file.id or ""))
            return SlackFile.model_validate(answer["file"])
        except Declined as error:
            log.error("files.info on a Slack Connect file: %s", error)
            raise BadImage("Slack does not let me read a file that was shared from another workspace.") from error

    def _is_slacks(self, url: str) -> bool:
        """Return whether the token may be sent to this address."""
        try:
            parts, own = urlsplit(url), urlsplit(self._slack.url)
        except ValueError:  # not an address
            return False
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return True
        host = parts.hostname or ""
        return parts.scheme == "https" and (host in ("slack.com", "slack-files.com") or host.endswith(".slack.com"))


def _deleted(file: SlackFile) -> BadImage:
    if not (file.name or file.title):  # a stub has only its id
        return BadImage("A file was deleted in Slack before I could look at it.")
    return BadImage("{name} was deleted in Slack, so I cannot look at it.", name=file.shown)


def _not_slacks(file: SlackFile) -> BadImage:
    return BadImage("{name} is not kept by Slack. Please upload the picture itself.", name=file.shown)
