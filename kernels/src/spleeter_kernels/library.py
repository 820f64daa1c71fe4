"""The shared library of the compiled layers: where it lies, and what it offers on this processor."""

import ctypes
import platform
from pathlib import Path
from typing import Any


class KernelsUnusable(Exception):
    """The compiled layers are missing, made for another processor or system, or of another version; says which."""


def available() -> tuple[str, ...]:
    """The instruction sets that this processor has, the best last. Raises KernelsUnusable."""
    sets = find(load(), "instruction_sets")
    sets.restype = ctypes.c_char_p
    return tuple(sets().decode().split())


def load() -> ctypes.CDLL:
    """Raises KernelsUnusable."""
    path = Path(__file__).with_name("_layers.so")
    if not path.is_file():
        raise KernelsUnusable(f"spleeter-kernels lacks its compiled layers, {path}: install it anew")
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        machine = f"{platform.system()} on {platform.machine()}"
        raise KernelsUnusable(f"spleeter-kernels was not made for {machine}: {error}") from error


def find(library: ctypes.CDLL, name: str) -> Any:
    """A function of it, by name. Raises KernelsUnusable."""
    try:
        return library[name]
    except AttributeError as error:
        raise KernelsUnusable(f"spleeter-kernels' compiled layers are of another version: no {name}") from error
