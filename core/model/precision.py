"""Name the precisions of the weights. Imports no torch."""

from enum import StrEnum


class Precision(StrEnum):
    AUTO = "auto"  # what suits the machine
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
