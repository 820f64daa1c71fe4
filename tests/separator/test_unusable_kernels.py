"""Kernels that can't be loaded: each is refused in one line that says why, and a model as MODEL_UNAVAILABLE."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from spleeter_kernels import KernelsUnusable, Layers, available, library

from consumer.core.errors import Code, Rejected
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime

_E_MACHINE = 18  # where an ELF file says what processor it is for
_AARCH64 = 183


def missing(_library: bytes, path: Path) -> None:
    path.unlink(missing_ok=True)


def of_another_processor(library: bytes, path: Path) -> None:
    path.write_bytes(library[:_E_MACHINE] + struct.pack("<H", _AARCH64) + library[_E_MACHINE + 2 :])


def cut_short(library: bytes, path: Path) -> None:
    path.write_bytes(library[:40])


def empty(_library: bytes, path: Path) -> None:
    path.write_bytes(b"")


def of_another_version(_library: bytes, path: Path) -> None:
    source = path.with_suffix(".c")
    source.write_text('const char *instruction_sets(void) { return "any"; }\n')
    subprocess.run(["gcc", "-shared", "-fPIC", str(source), "-o", str(path)], check=True, timeout=60)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (missing, "lacks its compiled layers"),
        (of_another_processor, "was not made for Linux on"),
        (cut_short, "was not made for Linux on"),
        (empty, "was not made for Linux on"),
        (of_another_version, "of another version: no outermost_down_any"),
    ],
)
def test_each_is_refused_in_one_line(
    damage: Callable[[bytes, Path], None],
    reason: str,
    narrow_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the kernels, and by the runtime in the words of a request's refusal."""
    sound = Path(library.__file__).with_name("_layers.so").read_bytes()
    damage(sound, tmp_path / "_layers.so")
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    with pytest.raises(KernelsUnusable, match=reason) as refusal:
        Layers()
    assert len(str(refusal.value).splitlines()) == 1
    with pytest.raises(Rejected, match=f"the runtime native can't compute it: .*{reason}") as rejected:
        make_runtime("native").load(load_spec("2stems", narrow_models))
    assert rejected.value.code == Code.MODEL_UNAVAILABLE


def test_what_is_whole_is_loaded() -> None:
    """The library beside them, which the others are made from."""
    assert Layers().instruction_set == available()[-1]
