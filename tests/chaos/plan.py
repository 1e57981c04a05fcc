"""How hard a storm is to be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`conversations` are of all platforms together; `faults` and `storms` are shares, of calls and of lives; every
    message arrives up to `copies` times; `noise` is how many malformed events come with one conversation, on average.
    `kinds` are the names of what people do; None is everything. With `aims`, such as "after chat.update" or
    "after INSERT turns", every kill is at one of these steps, taken in turn, and no life ends otherwise. What is `held`
    ends no answer until that kill, or where there are no aims, until somebody stops one."""

    kills: int = 1000
    conversations: int = 500
    platforms: Sequence[str] = ("telegram", "slack", "web")
    faults: float = 0.2
    fewest_copies: int = 1
    copies: int = 3
    storms: float = 0.3
    apart_s: float = 0.5  # between two events of Slack, at most: they arrive in any order
    noise: float = 1.0
    kinds: Sequence[str] | None = None
    at_once: int = 12  # conversations with a question that is not answered
    talks: int = 6  # different ones
    seed: int = 1
    aims: Sequence[str] = ()
    held: bool = False
    questions_at_once: int = 3  # that one person may have, by the quota
    disk_bytes: int = 0  # of a file system of its own, where root may make one; 0: none
    remote: float | None = None  # the model is at engines elsewhere, with which this share of questions goes wrong
    browser: bool = True  # some conversations are read on the page, too
    replicas: int = 1  # services on one PostgreSQL; one is on SQLite
    events: Sequence[str] | None = None  # kinds of what happens to several services; None is everything
    patience_s: float = 240.0  # without any progress; the machine may be busy
