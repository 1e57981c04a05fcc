"""Manage the messages that carry one answer, on a platform that may refuse to edit any of them.

Every step can be repeated safely: a message is posted as a placeholder, its id is stored, and only then is it edited
into the answer or a part of it. So after a crash between two steps, the next step is simply done again. If messages
cannot be edited, nothing is shown until the answer is complete; then it comes as new messages. If writes are scarce,
there is no placeholder: the first write shows words, or the whole answer if it is complete by then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic

from bots.conversing.delivery_errors import Gone, Refused, RetryLater, WriteFailed
from bots.conversing.draft import Chunk, Draft
from bots.conversing.events import File
from bots.conversing.reply import Record
from core import lease
from core.answer import Answer
from core.errors import StoreDown
from core.i18n import Translator

POSTING_SECONDS = 2.0  # for a message that is being posted when the service ends
MOST_LOST_MESSAGES = 2  # of one answer that cannot be edited; then no edit is tried any more
MOST_GROWING_WRITES = 1000  # of one answer; its rest is shown when it is complete
PATIENCE_SECONDS, PATIENCE_WRITES = 180.0, 5  # a last write that fails longer and more often is given up


class Delivery(Generic[Chunk]):
    def __init__(
        self,
        draft: Draft[Chunk],
        posted_ids: list[str],
        record: Record,
        translator: Translator,
    ) -> None:
        self._draft = draft
        self._posted_ids = posted_ids
        self._record = record
        self._translator = translator
        self._shown: dict[str, object] = {}
        self._lost: set[str] = set()  # messages that cannot be edited
        self._abandoned: list[File] = []  # files that could not be uploaded
        self._failures: dict[str, list[float]] = {}  # message -> when its last write failed, in loop time
        self._writes = 0

    async def show(self, text: str, answer: Answer | None, files: Sequence[File]) -> None:
        """Make the messages say `text` and carry `files`. `answer` is None while it grows."""
        if answer is None and (not self._can_edit or self._writes >= MOST_GROWING_WRITES):
            return
        parts = self._draft.split(text) if text else []
        contents = [*parts, *(self._abandon(file) if file in self._abandoned else file for file in files)]
        for index, content in enumerate(contents):
            await self._show(index, content, answer, last=index == len(parts) - 1)
        if not contents and not self._posted_ids and not self._draft.scarce:
            await self._put(0, self._draft.post)
        while answer is not None and len(self._posted_ids) > len(contents):  # an earlier run posted more
            await self._remove_last()

    @property
    def _can_edit(self) -> bool:
        return len(self._lost) < MOST_LOST_MESSAGES

    async def _show(self, index: int, content: Chunk | File, answer: Answer | None, last: bool) -> None:
        """Post a message for this place if there is none, and write unless it says the same already."""
        while True:
            state = (content, answer.ending if answer and last else None, last)
            posted_id = self._posted_ids[index] if index < len(self._posted_ids) else None
            if posted_id is not None and self._shown.get(posted_id) == state:
                return
            once = not self._can_edit or (self._draft.scarce and not isinstance(content, File))
            if posted_id is not None and posted_id not in self._lost:
                content = await self._write(posted_id, state, content, answer, last)
            elif not once:
                await self._put(index, self._draft.post)
            elif answer is not None:
                content = await self._send(index, state, content, answer, last)
            elif self._can_edit and not isinstance(content, File):
                await self._put(index, partial(self._draft.post, content))
                self._shown[self._posted_ids[index]] = (content, None, True)
            else:
                return

    async def _send(self, index: int, state: object, content: Chunk | File, answer: Answer, last: bool) -> Chunk | File:
        """Post what is finished, and return what its place must say now."""
        try:
            await self._put(index, partial(self._draft.send, content, answer, last))
        except WriteFailed:
            if not isinstance(content, File) or not self._record_failure(content.name):
                raise
            self._abandoned.append(content)
            return self._abandon(content)
        self._shown[self._posted_ids[index]] = state
        return content

    async def _write(
        self, posted_id: str, state: object, content: Chunk | File, answer: Answer | None, last: bool
    ) -> Chunk | File:
        """Write once, and return what its place must say now."""
        self._writes += 1
        lease.check()
        try:
            if isinstance(content, File):
                await self._draft.attach(posted_id, content)
            else:
                await self._draft.edit(posted_id, content, answer, last)
        except Gone:
            await self._lose(posted_id)
        except WriteFailed:
            if answer is None or not self._record_failure(posted_id):
                raise
            if isinstance(content, File):
                self._abandoned.append(content)
                del self._failures[posted_id]
                return self._abandon(content)
            await self._lose(posted_id)
        else:
            self._shown[posted_id] = state
        return content

    def _record_failure(self, posted_id: str) -> bool:
        """Count a failed last write. Return whether it has failed often, and for long enough."""
        failures = self._failures.setdefault(posted_id, [])
        failures.append(asyncio.get_running_loop().time())
        return len(failures) >= PATIENCE_WRITES and failures[-1] - failures[0] >= PATIENCE_SECONDS

    def _abandon(self, file: File) -> Chunk:
        """Return what is said in place of a file."""
        sentence = self._translator.say("{name} could not be sent. Please ask for it again later.", name=file.name)
        return self._draft.split(sentence)[0]

    async def _lose(self, posted_id: str) -> None:
        """Delete a message that cannot be edited. If that must wait, it moves behind the answer's messages."""
        self._lost.add(posted_id)
        with suppress(RetryLater, Refused):
            await self._draft.remove(posted_id)
            self._posted_ids.remove(posted_id)

    async def _remove_last(self) -> None:
        lease.check()
        try:
            await self._draft.remove(self._posted_ids[-1])
        except WriteFailed:
            if not self._record_failure(self._posted_ids[-1]):
                raise
        self._posted_ids.pop()
        await self._record(self._posted_ids)

    async def _put(self, index: int, post: Callable[[], Awaitable[str]]) -> None:
        """Post a message and store its id, even during a shutdown. Otherwise it would never be edited."""
        lease.check()
        posting = asyncio.ensure_future(self._post_and_record(index, post))
        try:
            await asyncio.shield(posting)
        except asyncio.CancelledError:
            await asyncio.wait({posting}, timeout=POSTING_SECONDS)
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            raise

    async def _post_and_record(self, index: int, post: Callable[[], Awaitable[str]]) -> None:
        posted_id = await post()
        self._posted_ids.insert(index, posted_id)
        try:
            await self._record(self._posted_ids)
        except StoreDown:  # it would be unknown when the same question is answered later
            with suppress(RetryLater, Refused):
                await self._draft.remove(posted_id)
            raise
