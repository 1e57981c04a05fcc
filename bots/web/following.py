"""Let people read at one replica what another one writes: the growing text goes through the database.

It is written only while somebody elsewhere reads along, and read about once a second.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress

from bots.conversing.store import Store
from bots.web.broadcast import Broadcast
from bots.web.broadcasts import Broadcasts
from bots.web.errors import Restarting
from bots.web.outcome import outcome_of, read_outcome
from bots.web.stage import read_stage, stage_of
from core import lease
from core.answer import Answer, Ending
from core.bounded_dict import BoundedDict
from core.errors import BotError, ConversationGone, StoreDown
from core.events import BeganAgain, Piece
from core.growing import GrowingAnswer
from core.lease import LeaseLost
from core.uptime import uptime

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0  # between two looks at a growing text, and between two writes of it
WANTED_SECONDS = 5.0  # for which a look asks for more
UNREAD_LOOKS = 5  # after which an answer that nobody reads is not followed any more
REMEMBERED = 1000  # answers that are read elsewhere
LONGEST_SECONDS = 3600.0  # that a reader waits for another replica


class Following:
    """`is_here` returns something for the key of a message that this replica itself works on."""

    def __init__(self, store: Store, broadcasts: Broadcasts, is_here: Callable[[str], object]) -> None:
        self._store = store
        self._broadcasts = broadcasts
        self._is_here = is_here
        self._tasks: dict[Broadcast, asyncio.Task[None]] = {}
        self._writing: set[asyncio.Task[None]] = set()
        # When the text of an answer here was last written down.
        self._written: BoundedDict[str, float] = BoundedDict(REMEMBERED)

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._writing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Where it is read

    def follow(self, broadcast: Broadcast) -> None:
        """Tell the readers of a broadcast what another replica writes."""
        if (following := self._tasks.get(broadcast)) is None or following.done():
            self._tasks[broadcast] = asyncio.create_task(self._follow(broadcast))

    async def _follow(self, broadcast: Broadcast) -> None:
        lease.set_current(None)  # this may have been started by work under a lease that is lost
        try:
            await self._follow_to_the_end(broadcast)
        except Exception as error:  # its readers must not wait for ever
            log.error("an answer of another replica cannot be followed", exc_info=error)
            broadcast.fail(error)
            self._broadcasts.drop(broadcast)
        finally:
            if self._tasks.get(broadcast) is asyncio.current_task():
                del self._tasks[broadcast]

    async def _follow_to_the_end(self, broadcast: Broadcast) -> None:
        began, unread = uptime(), 0
        while not broadcast.over:
            unread = 0 if broadcast.readers else unread + 1
            if unread > UNREAD_LOOKS or uptime() - began > LONGEST_SECONDS:
                if not self._is_here(broadcast.key):
                    broadcast.fail(LeaseLost())
                    self._broadcasts.drop(broadcast)
                return
            with suppress(StoreDown):
                seen = await self._store.follow_answer(broadcast.key, WANTED_SECONDS)
                if not self._is_here(broadcast.key) and not broadcast.over:
                    await self._tell(broadcast, seen)
            if not broadcast.over:
                await asyncio.sleep(LOOK_SECONDS)
        self._broadcasts.drop_soon(broadcast)

    async def _tell(self, broadcast: Broadcast, seen: GrowingAnswer) -> None:
        if seen.unfinished:
            _catch_up(broadcast, seen.text)
            # A version without stages leaves the old one there while it writes the text.
            stage = None if seen.text or seen.stage is None else read_stage(seen.stage)
            if stage is not None and stage != broadcast.last:
                broadcast.tell(stage)
        elif (turn := await self._store.answered(broadcast.key)) is not None and turn.answer is not None:
            _end(broadcast, turn.answer)
        elif seen.outcome is not None:
            _end(broadcast, read_outcome(seen.text, seen.outcome))
        elif broadcast.web_message.forgets:
            _end(broadcast, Answer("", Ending.DONE))
        elif broadcast.text:  # its conversation was deleted
            _end(broadcast, Answer(broadcast.text, Ending.STOPPED))
        elif await self._store.has_begun(broadcast.conversation_id):
            # How it ended is kept for some seconds, in which this replica did not look. It can be asked again.
            self._broadcasts.drop(broadcast)
            _end(broadcast, Restarting("The model was interrupted. Please ask again."))
        else:
            _end(broadcast, ConversationGone())

    # Where it is written

    def show(self, broadcast: Broadcast | None) -> None:
        """Write down what there is of an answer here, because somebody reads it at another replica."""
        if broadcast is None or broadcast.over:
            return
        now = uptime()
        if now - self._written.get(broadcast.key, -math.inf) < LOOK_SECONDS:
            return
        self._written[broadcast.key] = now
        task = asyncio.create_task(self._write(broadcast))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, broadcast: Broadcast) -> None:
        with suppress(StoreDown):
            await self._store.grow_answer(broadcast.key, broadcast.text, stage=stage_of(broadcast.last))

    async def end(self, broadcast: Broadcast, ended: Answer | Exception) -> None:
        """Write down how an answer here ended, before its message is finished, if that might be read nowhere else."""
        followed = self._written.pop(broadcast.key, None) is not None
        await asyncio.gather(*self._writing, return_exceptions=True)  # an older text must not come last
        with suppress(BotError):
            if isinstance(ended, Exception):
                await self._store.grow_answer(broadcast.key, "", outcome_of(ended))
            elif followed or not (await self._store.settings(broadcast.conversation_id)).keep:
                await self._store.grow_answer(broadcast.key, ended.text, outcome_of(ended))


def _catch_up(broadcast: Broadcast, text: str) -> None:
    told = broadcast.text
    if not text.startswith(told):
        broadcast.tell(BeganAgain())
        told = ""
    if text != told:
        broadcast.tell(Piece(text.removeprefix(told)))


def _end(broadcast: Broadcast, ended: Answer | Exception) -> None:
    if isinstance(ended, Answer):
        _catch_up(broadcast, ended.text)
        broadcast.finish(ended)
    else:
        broadcast.fail(ended)
