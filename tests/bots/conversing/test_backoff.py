from bots.conversing.backoff import LONGEST_PAUSE_SECONDS, Backoff


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    backoff = Backoff()
    pauses = [backoff.next_pause() for _ in range(2000)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE_SECONDS
    backoff.reset()
    assert (backoff.failures, backoff.next_pause()) == (0, 0.5)
