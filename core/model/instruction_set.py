"""Know the instruction sets that the kernels are compiled for, and which of them this machine has."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from core import hardware

NATIVE = Path(__file__).parent / "native"


class Unavailable(Exception):
    """Says why int8 weights cannot be multiplied on this machine, and what to install."""


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """One way to compile the kernels. `needs` are features of the processor, as /proc/cpuinfo names them."""

    name: str
    needs: frozenset[str]
    flags: tuple[str, ...] = ()

    @property
    def built(self) -> Path:
        """Return where a wheel has the library; see setup.py."""
        return NATIVE / f"kernel_{self.name.lower()}.so"

    def fits(self, features: frozenset[str]) -> bool:
        """Return whether this machine has it. ATEN_CPU_CAPABILITY=avx2 turns AVX-512 off, for torch and for us."""
        return self.needs <= features and (self not in (AMX, AVX512) or torch_instructions() == "AVX512")


AVX2 = InstructionSet("AVX2", frozenset({"avx2", "fma", "f16c"}), ("-mavx2", "-mfma", "-mf16c"))
AVX512 = InstructionSet(
    "AVX512",
    AVX2.needs | {"avx512f", "avx512bw", "avx512vl", "avx512_vnni"},
    (*AVX2.flags, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vnni"),
)
AMX = InstructionSet("AMX", AVX512.needs | {"amx_tile", "amx_int8"}, (*AVX512.flags, "-mamx-tile", "-mamx-int8"))
# The three of ARM: multiplying 2x8 by 8x2 bytes (smmla), 4 by 4 (sdot), or numbers of 16 bits.
I8MM = InstructionSet("I8MM", frozenset({"asimd", "asimddp", "i8mm"}), ("-march=armv8.2-a+dotprod+i8mm",))
DOTPROD = InstructionSet("DOTPROD", frozenset({"asimd", "asimddp"}), ("-march=armv8.2-a+dotprod",))
NEON = InstructionSet("NEON", frozenset({"asimd"}))
INSTRUCTION_SETS = {"x86_64": (AMX, AVX512, AVX2), "aarch64": (I8MM, DOTPROD, NEON)}  # the fastest first


def available() -> list[InstructionSet]:
    """Return the sets that this machine has, the fastest first. Raises `Unavailable` where there is none."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in INSTRUCTION_SETS:
        raise Unavailable(f"int8 weights need Linux on x86-64 or 64-bit ARM, and this is {sys.platform} on {machine}")
    features, known = _features(), INSTRUCTION_SETS[machine]
    if missing := known[-1].needs - features:
        raise Unavailable(f"int8 weights need a processor with {', '.join(sorted(missing))}")
    return [each for each in known if each.fits(features)]


def has_vnni() -> bool:
    """Return whether the kernels can use AVX-512 VNNI, the fastest of x86-64."""
    return platform.machine() == "x86_64" and AVX512.fits(_features())


def torch_instructions() -> str:
    """Return the processor's best vector instructions that torch knows: AVX512, AVX2, or DEFAULT below that."""
    return str(torch.backends.cpu.get_cpu_capability())


def _features() -> frozenset[str]:
    """Return the processor's features, as Linux names them."""
    told = hardware.processor()
    return frozenset((told.get("flags") or told.get("Features", "")).split())
