"""Remove the pictures of files that people delete in Slack, also of those that are asked about meanwhile."""

import logging
from collections.abc import Mapping, Sequence

from bots.conversing.store import Store
from core.bounded_dict import BoundedDict

log = logging.getLogger(__name__)
MOST_DELETED = 1000  # files that are kept in mind


class DeletedFiles:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._deleted: BoundedDict[str, None] = BoundedDict(MOST_DELETED)

    async def remove(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            self._deleted[file_id] = None
            if await self._store.remove_file(f"slack:{file_id}"):
                log.info("a picture that was deleted in Slack is removed")

    async def remove_saved(self, conversation_id: str, images: Mapping[str, list[str]]) -> None:
        """Remove what was saved with an answer after its file was deleted. `images` are the ids by file."""
        for file_id in images.keys() & self._deleted.keys():
            file = f"slack:{file_id}"
            await self._store.remember_file(file, conversation_id, images[file_id])
            await self._store.remove_file(file)
