"""Whether the kernels' compiled layers can be loaded and are fast on this processor; asked without loading numpy."""

import ctypes
import platform
import struct
from pathlib import Path

_X86 = ("x86_64", "AMD64")
_ELF_64, _LOADED = b"\x7fELF\x02\x01", 1  # of little ends, as all processors have them that wheels are built for


def why_not_loadable(kernels: Path) -> str:
    """Why the compiled layers in this folder can't be loaded, "" where they can."""
    try:
        _instruction_sets(kernels)
    except (OSError, AttributeError) as error:  # AttributeError: another library
        return f"its compiled layers can't be loaded ({error})"
    return ""


def why_slow(kernels: Path) -> str:
    """Why what can be loaded would be slow on this processor, "" where it is not. Raises OSError."""
    is_slow = platform.machine() in _X86 and _instruction_sets(kernels) == [b"any"]
    return "this processor has no AVX2, without which its kernels are slow" if is_slow else ""


def _instruction_sets(kernels: Path) -> list[bytes]:
    """Those that this processor has. Raises OSError, AttributeError."""
    library = kernels / "_layers.so"
    if not library.is_file():
        raise FileNotFoundError("there are none")
    if _is_cut_short(library):
        raise OSError(f"{library}: cut short")
    sets = ctypes.CDLL(str(library)).instruction_sets
    sets.restype = ctypes.c_char_p
    names: bytes = sets()
    return names.split()


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
