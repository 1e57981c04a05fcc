"""Name what people may want of a message that another replica works on, which is written down for that one."""

from enum import StrEnum


class Wish(StrEnum):
    STOP = "stop"  # keep what is written of its answer
    WITHDRAW = "withdraw"  # it is deleted, so leave nothing of its answer
