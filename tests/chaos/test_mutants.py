"""That the storm sees deliberate faults; all of them are `make chaos-mutants`'."""

import inspect
from collections import Counter
from collections.abc import Callable
from inspect import Parameter

import pytest

from tests.chaos.mutant import HELD, Mutant, found
from tests.chaos.mutants import MUTANTS
from tests.chaos.mutation import NO_FAULT, PLANS, Trial, try_out

SELVES = ("self", "inbox", "stop", "quota")  # what a method's own object is called


def test_every_mutant_replaces_functions_that_are_there() -> None:
    assert len(MUTANTS) >= 15
    assert set(MUTANTS) == set(PLANS)
    for mutant in (*MUTANTS.values(), HELD):
        for target in mutant.targets:
            holder, name = found(target)
            replaced = getattr(holder, name)
            assert takes_the_same(mutant.fault(replaced), replaced), mutant.name


def takes_the_same(new: Callable[..., object], old: Callable[..., object]) -> bool:
    """Whether it can be called as the other: it takes anything, or the same by the same names, however self is
    called. One that cannot be called would crash the service, and be seen for that."""
    taken, wanted = (list(inspect.signature(each).parameters.values()) for each in (new, old))
    names = [[each.name for each in parameters if each.name not in SELVES] for parameters in (taken, wanted)]
    anything = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    return anything <= {each.kind for each in taken} or names[0] == names[1]


def test_a_replacement_that_lacks_a_parameter_is_seen() -> None:
    async def put(store: object, key: str, digest: str | None = None) -> None: ...
    async def put_any(store: object, key: str) -> None: ...
    async def put_all(*args: object, **more: object) -> None: ...
    async def put_some(*args: object) -> None: ...

    assert takes_the_same(put, put)
    assert takes_the_same(put_all, put)
    assert not takes_the_same(put_any, put)
    assert not takes_the_same(put_some, put)


def test_a_mutant_whose_function_has_gone_says_so() -> None:
    for target in ("storage.store:Store.no_such_thing", "storage.no_such_module:save", "storage.store:log"):
        gone = Mutant("gone", (target,), lambda replaced: replaced, ())
        with pytest.raises((AttributeError, ImportError)):
            gone.switch_on()


def test_a_mutant_is_seen_by_its_own_checks_and_after_its_kills() -> None:
    name = "acknowledged before it is written down"
    assert Trial(name, 1, 2, Counter(lost=1), []).good
    assert not Trial(name, 1, 0, Counter(lost=1), []).good
    assert not Trial(name, 1, 2, Counter(doubled=1), []).good
    assert Trial(NO_FAULT, 1, 2, Counter(), []).good
    assert not Trial(NO_FAULT, 1, 2, Counter(lost=1), []).good


@pytest.mark.timeout(600)
async def test_a_web_question_that_is_never_written_down_is_seen_by_who_only_reads() -> None:
    """And without the fault nothing is seen, though the service is killed as soon as a question is taken."""
    *control, mutant = await try_out(["web questions are never written down"], seeds=[1])
    assert [trial.troubles for trial in control] == [[], []]
    assert [trial.kills for trial in control] == [0, 2]
    assert mutant.seen_by["lost"] >= 2  # at least what was taken last at each kill
