from core.bounded_dict import BoundedDict


def test_only_the_latest_are_kept_and_what_is_set_again_counts_as_new() -> None:
    latest: BoundedDict[str, int] = BoundedDict(2)
    for number, key in enumerate("abac"):
        latest[key] = number
    assert dict(latest) == {"a": 2, "c": 3}


def test_looking_keeps_nothing() -> None:
    latest: BoundedDict[str, int] = BoundedDict(2)
    latest["a"], latest["b"] = 1, 2
    assert latest.get("a") == 1
    latest["c"] = 3
    assert list(latest) == ["b", "c"]
    assert latest.pop("b") == 2
    assert latest.setdefault("d", 4) == 4
    assert list(latest) == ["c", "d"]
