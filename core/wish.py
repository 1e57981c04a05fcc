"""Define what one replica asks of the one that works on a message. It is written into the message's row."""

from enum import StrEnum


class Wish(StrEnum):
    STOP = "stop"  # keep what is written of its answer
    WITHDRAW = "withdraw"  # it is deleted, so leave nothing of its answer
