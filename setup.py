"""Put the compiled kernels into a wheel. Everything else about the package is in pyproject.toml.

`make wheel` installs ziglang, which compiles for both processors and an old glibc. Without it the wheel has no kernel,
and the service compiles one at its first start, as in a checkout. KERNEL_ARCH names another processor than this one's.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ARCH = os.environ.get("KERNEL_ARCH", platform.machine())
GLIBC = "2.17"
AVX512 = "x86_64_v3+avx512f+avx512bw+avx512vl+avx512vnni"
KERNELS = {  # the library of each instruction set, as core/model/instruction_set.py names it
    "x86_64": {
        "kernel_avx2.so": "x86_64_v3",
        "kernel_avx512.so": AVX512,
        "kernel_amx.so": f"{AVX512}+amx_tile+amx_int8",
    },
    "aarch64": {
        "kernel_neon.so": "baseline",
        "kernel_dotprod.so": "baseline+dotprod",
        "kernel_i8mm.so": "baseline+dotprod+i8mm",
    },
}
HAS_KERNEL = ARCH in KERNELS and importlib.util.find_spec("ziglang") is not None
NATIVE = Path("core/model/native")


class BuildPy(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a checkout has its own files
            return
        shutil.copy("config.example.toml", Path(self.build_lib, "bots"))
        for name, processor in KERNELS[ARCH].items() if HAS_KERNEL else ():
            target = ["-target", f"{ARCH}-linux-gnu.{GLIBC}", f"-mcpu={processor}"]
            flags = ["-O2", "-s", "-fPIC", "-shared", "-o", str(Path(self.build_lib, NATIVE, name))]
            sources = [str(source) for source in sorted(NATIVE.glob("*.c"))]
            subprocess.run([sys.executable, "-m", "ziglang", "cc", *target, *flags, *sources], check=True)


class BdistWheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        """Return one tag for every Python, because the kernel is called through ctypes."""
        return ("py3", "none", f"manylinux_{GLIBC.replace('.', '_')}_{ARCH}") if HAS_KERNEL else super().get_tag()


class WithKernel(Distribution):
    def has_ext_modules(self) -> bool:
        return HAS_KERNEL


setup(cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel}, distclass=WithKernel)
