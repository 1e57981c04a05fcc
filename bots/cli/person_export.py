"""Write all that is kept about one person into a zip file."""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bots.cli.person import checked, names_of, stored_author
from bots.config import Settings
from bots.service import open_store
from core.answers import transcript
from core.conversation import Conversation
from core.errors import OperatorError
from core.i18n import Translator
from storage import forgotten
from storage.personal import Traces
from storage.store import Store

AS_SENT = "as-sent"  # the file as it came, where shrinking it lost detail


async def export(settings: Settings, ids: Sequence[str], file: Path) -> str:
    """Write a new zip file, and return a sentence. Raises `OperatorError`.

    Each chapter of a conversation is a folder. person.json has the rest: what admins decided, the settings of the
    person's own conversations, and what waits.
    """
    people = checked(ids)
    async with open_store(settings) as store:
        traces = await store.traces(await names_of(store, people), stored_author)
        with _new_zip(file) as packed:
            settings_of = {name: (await store.settings(name)).stored() for name in sorted(traces.own)}
            packed.writestr("person.json", _about(people, traces, settings_of))
            await _pack(store, traces, packed)
    return f"{file} has all that is kept of {', '.join(people)}. Only you can read it."


@contextmanager
def _new_zip(file: Path) -> Iterator[zipfile.ZipFile]:
    """Yield a new zip file, which is removed if the block fails. Raises `OperatorError`."""
    try:
        with file.open("xb") as out:
            try:
                with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
                    yield packed
            except BaseException:
                file.unlink()
                raise
    except FileExistsError:
        raise OperatorError(
            "{path} exists already and is not overwritten: name another file.", path=str(file)
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise OperatorError("{path} cannot be written: {reason}.", path=str(file), reason=reason) from error


async def _pack(store: Store, traces: Traces, packed: zipfile.ZipFile) -> None:
    places: list[tuple[str, frozenset[str] | None]] = [(name, None) for name in sorted(traces.own)]
    places += [(name, traces.names) for name in sorted(traces.shared)]
    chapters = [chapter for name, names in places for chapter in await store.chapters(name, names)]
    for number, (name, names) in enumerate(places, 1):
        if (document := await store.document(name, names)) is not None:
            packed.writestr(f"documents/{number}-{AS_SENT}", document.data)
    for number, chapter in enumerate(chapters, 1):
        await _pack_chapter(store, chapter, f"conversations/{number}", packed)


async def _pack_chapter(store: Store, chapter: Conversation, folder: str, packed: zipfile.ZipFile) -> None:
    packed.writestr(f"{folder}/transcript.md", transcript.as_markdown(chapter, Translator("en")))
    packed.writestr(f"{folder}/transcript.json", transcript.as_json(chapter))
    for picture in chapter.pictures:
        with packed.open(f"{folder}/pictures/{picture.number}.png", "w") as entry:
            async for piece in store.picture_data(picture.image.id):
                entry.write(piece)
        if (sent := await store.original(picture.image.id)) is not None:
            packed.writestr(f"{folder}/pictures/{picture.number}-{AS_SENT}", sent)


def _about(people: Sequence[str], traces: Traces, settings_of: Mapping[str, Any]) -> str:
    about: dict[str, Any] = {
        "person": list(people),
        "made": forgotten.now(),
        "decided": [{"platform": known.platform, "id": known.id, "is": known.standing} for known in traces.standings],
        "settings": {name: settings for name, settings in settings_of.items() if settings},
        "waiting": [
            {"conversation": message.conversation_id, "message": message.payload} for message in traces.messages
        ],
    }
    return json.dumps(about, ensure_ascii=False, indent=2) + "\n"
