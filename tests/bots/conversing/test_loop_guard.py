from bots.conversing.loop_guard import MOST_IN_A_ROW, ROW_SECONDS, LoopGuard


def test_a_row_ends_with_a_person_or_after_its_time_and_an_attempt_counts_once() -> None:
    now = 0.0
    guard = LoopGuard(lambda: now)
    for question in range(MOST_IN_A_ROW):
        assert guard.admits("C1", str(question)) and guard.admits("C1", str(question))
    assert not guard.admits("C1", "more")
    assert guard.admits("C2", "more")
    guard.end_row("C1")
    for question in range(MOST_IN_A_ROW):
        assert guard.admits("C1", f"later {question}")
    assert not guard.admits("C1", "more") and guard.admits("C1", "later 0")
    now = ROW_SECONDS + 1
    assert guard.admits("C1", "more")
