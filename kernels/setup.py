"""Compiles the layers. They are called by ctypes, so what comes out depends on no version of Python."""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("src/spleeter_kernels")

setup(
    ext_modules=[
        Extension(
            "spleeter_kernels._layers",
            [str(SOURCES / "unet.cpp")],
            depends=[str(header) for header in SOURCES.glob("*.h")],
            extra_compile_args=["-O3", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno"],
            language="c++",
        )
    ]
)
