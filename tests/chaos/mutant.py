"""A deliberate fault of the product, which the storm's checks must see: it replaces named functions in one life.

A hook names what it replaces as "module:Class.function"; a name that is not there any more ends the life with an error
that says so. What a replacement is told first is the function in whose place it stands.
"""

import asyncio
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Replacement = Callable[[Any], Any]


@dataclass(frozen=True)
class Mutant:
    """`targets` are replaced by what `fault` makes of each; the checks in `seen_by` are those that have to see it."""

    name: str
    targets: tuple[str, ...]
    fault: Replacement
    seen_by: tuple[str, ...]

    def switch_on(self) -> None:
        """In this process, for good."""
        for target in self.targets:
            holder, name = found(target)
            setattr(holder, name, self.fault(getattr(holder, name)))


class Mutants(dict[str, Mutant]):
    """By their names."""

    def add(self, name: str, *targets: str, seen_by: Sequence[str]) -> Callable[[Replacement], Replacement]:
        def note(fault: Replacement) -> Replacement:
            self[name] = Mutant(name, targets, fault, tuple(seen_by))
            return fault

        return note


def found(target: str) -> tuple[Any, str]:
    """What holds a function, and its name there. Raises `AttributeError` or `ImportError` where it is not any more."""
    module, _, path = target.partition(":")
    owner, _, name = path.rpartition(".")
    holder = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    if not callable(inspect.getattr_static(holder, name)):
        raise AttributeError(f"{target} cannot be called")
    return holder, name


STOPPED = asyncio.Event()  # somebody's answer was, in this process


def _held(replaced: Any) -> Any:
    async def answer_and_wait(*args: Any, **more: Any) -> Any:
        answer = await replaced(*args, **more)
        await STOPPED.wait()
        return answer

    def stop(*args: Any, **more: Any) -> Any:
        stopped = replaced(*args, **more)
        STOPPED.set()
        return stopped

    return answer_and_wait if inspect.iscoroutinefunction(replaced) else stop


HELD = Mutant(  # no fault, but time for a kill or a stop
    "answers end when one is stopped", ("core.engine.engine:Engine.answer", "core.stop:Stop.request"), _held, ()
)
