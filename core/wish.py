"""Define what is wanted of a message of who works on it: another replica, or a later run. It is kept in its row."""

from enum import StrEnum


class Wish(StrEnum):
    STOP = "stop"  # keep what is written of its answer
    WITHDRAW = "withdraw"  # it is deleted, so leave nothing of its answer
