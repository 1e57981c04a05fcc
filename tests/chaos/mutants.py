"""All deliberate faults, by name."""

from tests.chaos import mutants_of_delivery, mutants_of_memory

MUTANTS = {**mutants_of_delivery.MUTANTS, **mutants_of_memory.MUTANTS}
