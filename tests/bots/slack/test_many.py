"""Ten people ask at once in one workspace, and nobody's answer stands still."""

import pytest

from tests.bots.slack.many import virtually
from tests.virtual import run


@pytest.mark.parametrize(
    ("count", "streaming", "seconds"),
    [(10, True, 10.0), (5, False, 10.0), (1, False, 3.0), (10, False, 15.0)],  # the last: 50 edits a minute for ten
)
def test_no_answer_stands_still_while_others_are_written(count: int, streaming: bool, seconds: float) -> None:
    texts, seen, tiers = run(virtually(count, streaming, words=200, pause=1.0))
    assert len(seen.writes) == count
    assert max(seen.longest_gaps()) <= seconds
    assert tiers.refused == 0
    assert all("word0 " in text and "word199" in text for text in texts)


def test_where_streams_are_used_up_answers_are_posted_and_edited() -> None:
    texts, seen, tiers = run(virtually(30, True, words=60, pause=1.0))
    assert all("word59" in text for text in texts)
    assert tiers.refused == 0
    assert len(tiers.calls["chat.startStream"]) <= 20
    firsts = [times[0] for times in seen.writes.values()]
    assert max(firsts) <= 45.0  # one new message a second in a channel
