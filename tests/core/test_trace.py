from core.trace import without_words


def test_an_exception_in_the_log_says_where_and_what_but_not_what_somebody_wrote() -> None:
    try:
        int("the words of somebody")
    except ValueError as error:
        told = without_words(error)
    assert told.startswith("ValueError\n")
    assert "test_trace.py" in told
    assert "of somebody'" not in told
