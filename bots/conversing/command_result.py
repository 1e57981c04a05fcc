"""Define what a command says."""

from dataclasses import dataclass

from bots.conversing.events import File


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command says, and the files before it."""

    text: str = ""
    files: tuple[File, ...] = ()
