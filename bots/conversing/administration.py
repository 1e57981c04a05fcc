"""Let admins see how the service is doing, let people in and block them.

Blocked people get silence on every platform. With a sentence for each message they could still fill a chat with the
bot's words, and use up the few writes that a group allows.
"""

import psutil

from bots.conversing.allow_list import EVERYBODY
from bots.conversing.command_result import CommandResult
from bots.conversing.permissions import Decision
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from core.i18n import Translator
from core.note import Note
from core.person import KnownPerson, Standing
from core.units import MEGABYTE

SHOWN_PEOPLE = 50  # in one message
GROUPS = {
    Standing.WAITING: Note("Waiting to be let in"),
    Standing.ALLOWED: Note("Let in by admins"),
    Standing.BLOCKED: Note("Blocked"),
    Standing.IGNORED: Note("Ignored"),
}


async def stats(_: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    stats = services.engine_stats()
    return CommandResult(
        translator.say(
            "Answers being written: {running}, waiting: {waiting}\nAnswered today: {answered}\n"
            "Memory: {used} MB used, {free} MB free",
            running=getattr(stats, "running", 0),
            waiting=getattr(stats, "waiting", 0),
            answered=await services.store.answered_today(),
            used=round(psutil.Process().memory_info().rss / MEGABYTE),
            free=round(psutil.virtual_memory().available / MEGABYTE),
        )
    )


async def decide(
    decision: Decision, request: AnswerRequest, services: Services, translator: Translator
) -> CommandResult:
    """Carry out what an admin decided about the person whom they named."""
    permissions = services.permissions[request.platform.name]
    return CommandResult(translator.explain(await permissions.decide(request.text, decision, request.asker.person_id)))


async def people(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    """Return who waits to be let in, whom admins let in or block, and whom the config lets in."""
    platform = request.platform
    known = await services.store.known_people(SHOWN_PEOPLE + 1, platform.name)
    listed = services.permissions[platform.name].listed
    lines = [f"{translator.explain(GROUPS[standing])}: {names}" for standing, names in _grouped(known[:SHOWN_PEOPLE])]
    if EVERYBODY in listed.allow:
        lines.append(translator.say("Everybody else may ask."))
    elif listed.allow:
        lines.append(f"{translator.say('Let in by the settings')}: {_shortened(sorted(listed.allow))}")
    lines.append(f"{translator.say('Admins')}: {_shortened(sorted(listed.admins))}")
    if len(known) > SHOWN_PEOPLE:
        lines.append(translator.say("There are more."))
    lines.append(
        translator.say(
            "{slash}allow {person} lets somebody in, {slash}block {person} keeps them out.",
            slash=platform.prefix,
            person=platform.person,
        )
    )
    return CommandResult("\n".join(lines))


def _grouped(known: list[KnownPerson]) -> list[tuple[Standing, str]]:
    found = {standing: [person.id for person in known if person.standing is standing] for standing in GROUPS}
    return [(standing, ", ".join(ids)) for standing, ids in found.items() if ids]


def _shortened(ids: list[str]) -> str:
    return ", ".join([*ids[:SHOWN_PEOPLE], *(["…"] if len(ids) > SHOWN_PEOPLE else [])])
