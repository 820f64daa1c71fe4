"""Compiles the layers. They are called by ctypes, so one wheel serves every version of Python.

For another architecture: CC, CXX and LDSHARED name its compiler, and `--plat-name` what it is for (`harness/dist.py`).
"""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

SOURCES = Path("src/spleeter_kernels")


class LibraryBuild(build_ext):
    """A library whose name tells of no Python."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split(".")).with_suffix(".so"))


class LibraryWheel(bdist_wheel):
    """A wheel of one platform, and of any Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(
    cmdclass={"build_ext": LibraryBuild, "bdist_wheel": LibraryWheel},
    ext_modules=[
        Extension(
            "spleeter_kernels._layers",
            [str(SOURCES / "unet.cpp")],
            depends=[str(header) for header in SOURCES.glob("*.h")],
            extra_compile_args=["-O3", "-g0", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno"],
            language="c++",
        )
    ],
)
