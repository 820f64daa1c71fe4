"""Whether the kernels' compiled layers can be loaded and are fast on this processor; asked without loading numpy."""

import ctypes
import platform
import struct
from collections.abc import Callable
from pathlib import Path

_X86 = ("x86_64", "AMD64")
_ENDINGS = ("so", "dylib", "dll", "pyd")
_ELF_64, _LOADED = b"\x7fELF\x02\x01", 1  # of little ends, as all processors have them that wheels are built for


def why_not_loadable(kernels: Path) -> str:
    """Why the compiled layers in this folder can't be loaded, "" where they can."""
    try:
        _best_instruction_set(kernels)
    except (OSError, AttributeError) as error:  # AttributeError: another library
        return f"its compiled layers can't be loaded ({error})"
    return ""


def why_slow(kernels: Path) -> str:
    """Why what can be loaded would be slow on this processor, "" where it is not. Raises OSError."""
    is_slow = platform.machine() in _X86 and _best_instruction_set(kernels)() == 0
    return "this processor has no AVX2, without which its kernels are slow" if is_slow else ""


def _best_instruction_set(kernels: Path) -> Callable[[], int]:
    """0: what every processor of this architecture has. Raises OSError, AttributeError."""
    # Whatever built it: setuptools names it otherwise than a wheel that is for all Pythons.
    found = sorted(path for ending in _ENDINGS for path in kernels.glob(f"_layers*.{ending}"))
    if not found:
        raise FileNotFoundError("there are none")
    if _is_cut_short(found[0]):
        raise OSError(f"{found[0]}: cut short")
    best: Callable[[], int] = ctypes.CDLL(str(found[0])).best_instruction_set
    return best


def _is_cut_short(path: Path) -> bool:
    """Whether an ELF file ends before what is loaded of it: the loader would map it, and end this process by SIGBUS."""
    with path.open("rb") as library:
        header = library.read(64)
        if len(header) < 64 or not header.startswith(_ELF_64):
            return False  # which the loader finds out
        [table] = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        library.seek(table)
        entries = library.read(size * count)
        length = library.seek(0, 2)
    if len(entries) < size * count or size < 56:
        return True
    parts = (struct.unpack_from("<IIQQQQ", entries, size * number) for number in range(count))
    return any(kind == _LOADED and offset + stored > length for kind, _, offset, _, _, stored in parts)
