"""That the storm sees deliberate faults; all of them are `make chaos-mutants`'."""

import pytest

from tests.chaos.mutants import MUTANTS, Mutant, found
from tests.chaos.mutation import PLANS, try_out


def test_every_mutant_replaces_functions_that_are_there() -> None:
    assert len(MUTANTS) >= 15
    assert set(MUTANTS) == set(PLANS)
    for mutant in MUTANTS.values():
        for target in mutant.targets:
            holder, name = found(target)
            assert callable(mutant.fault(getattr(holder, name))), mutant.name


def test_a_mutant_whose_function_has_gone_says_so() -> None:
    for target in ("storage.store:Store.no_such_thing", "storage.no_such_module:save", "storage.store:log"):
        gone = Mutant("gone", (target,), lambda replaced: replaced, ())
        with pytest.raises((AttributeError, ImportError)):
            gone.switch_on()


@pytest.mark.timeout(600)
async def test_a_web_question_that_is_never_written_down_is_seen_by_who_only_reads() -> None:
    """And without the fault nothing is seen, though the service is killed as soon as a question is taken."""
    *control, mutant = await try_out(["web questions are never written down"], seeds=[1])
    assert [trial.troubles for trial in control] == [[], []]
    assert [trial.kills for trial in control] == [0, 2]
    assert mutant.seen_by["lost"] >= 2  # at least what was taken last at each kill
