"""List, export and delete what is kept about one person, across their chats and groups."""

import importlib
import re
import sys
import time
from collections.abc import Sequence

from bots.config import PLATFORMS, Settings
from bots.service import open_store
from bots.slack.platform import SLACK
from bots.telegram.platform import TELEGRAM
from bots.web.access.address import address_of
from bots.web.config import KEY_NAMES
from core.errors import OperatorError
from core.pseudonym import pseudonym
from storage import forgotten
from storage.lock import hold
from storage.personal import Traces
from storage.store import Store

KINDS = {"telegram": TELEGRAM.person_id, "slack": SLACK.person_id, "web": re.compile(r"\S(.*\S)?"), "api": KEY_NAMES}
EXAMPLES = "telegram:12345, slack:U123ABC45, web:192.0.2.7 or api:paperless"


async def listed(settings: Settings, ids: Sequence[str]) -> str:
    """Return what is kept of a person. Raises `OperatorError`."""
    people = checked(ids)
    async with open_store(settings) as store:
        return _described(people, await store.traces(await names_of(store, people), stored_author))


async def delete(settings: Settings, ids: Sequence[str]) -> str:
    """Delete all of it, while no service runs, and return what there was. Raises `OperatorError`."""
    people = checked(ids)
    with hold(settings.storage.url):
        async with open_store(settings, alone=True) as store:
            names = await names_of(store, people)
            forgotten.add(settings.storage.forgotten, names)
            traces = await store.forget_person(names, stored_author)
    _drop_computed(settings)
    kept = f"Backups from before still have it; restore leaves it out, because of {settings.storage.forgotten}."
    return f"{_described(people, traces)}\nAll of that is deleted. {kept}"


async def names_of(store: Store, people: Sequence[str]) -> set[str]:
    """Return the pseudonyms of a person under all their ids."""
    names = {pseudonym(person) for person in people}
    for person in people:
        if SLACK.owns(person):  # what is stored also tells the workspace
            rest = person.removeprefix(SLACK.id(""))
            names |= {pseudonym(SLACK.id(f"{team}:{rest}")) for team in await store.workspaces(SLACK.name)}
    return names


def stored_author(platform: str, payload: str) -> str | None:
    """Return who sent a stored message, or None if that is unknown."""
    if platform not in PLATFORMS:
        return None
    try:
        author: str = importlib.import_module(f"{PLATFORMS[platform]}.stored_author").stored_author(payload)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return author


def checked(ids: Sequence[str]) -> list[str]:
    """Return ids as they are stored. Raises `OperatorError` if one is none."""
    people = []
    for person in ids:
        platform, _, rest = person.strip().partition(":")
        if platform not in KINDS or not KINDS[platform].fullmatch(rest):
            raise OperatorError("{person} is no person's id. Write {examples}.", person=person, examples=EXAMPLES)
        people.append(f"{platform}:{address_of(rest) if platform == 'web' else rest}")
    return people


def _described(people: Sequence[str], traces: Traces) -> str:
    who = ", ".join(people)
    if not traces:
        return f"Nothing is kept of {who}."
    lines = [
        f"Of {who} there are kept:",
        f"  conversations: {len(traces.own)} of their own, {len(traces.shared)} with others",
        f"  questions: {traces.questions}, of which {traces.rated} have rated answers",
        f"  pictures: {traces.pictures}",
        f"  messages that wait for an answer or a decision: {len(traces.messages)}",
    ]
    if traces.counted:
        lines.append("  counts of what they asked within the last day")
    for known in traces.standings:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(known.since))
        lines.append(f"  {known.platform} {known.id}: {known.standing} since {since}")
    return "\n".join(lines)


def _drop_computed(settings: Settings) -> None:
    """Remove what the model computed from anybody's words and pictures: it does not say whose they are."""
    from core.engine.cache_space import COMPUTED_FOLDER, drop_oldest

    drop_oldest(settings.engine.cache / COMPUTED_FOLDER, sys.maxsize)
