"""From the sources to what the wheel holds, once: it is kept, named by all that it is made from."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from small_ffmpeg import components, recognition
from small_ffmpeg.compiling import Compiler
from small_ffmpeg.sources import FFMPEG, LIBRARIES, unpack

_HERE = Path(__file__).parent
PACKAGE = _HERE / "src/spleeter_ffmpeg"  # that the wheel is built from
_RECIPE = tuple(sorted([*_HERE.glob("*.py"), _HERE / "zig.txt"]))
# command → Debian package that brings it; the libraries' configure scripts ask for a linker, though zig is one
_TOOLS = {"ld": "binutils", "make": "make", "nasm": "nasm", "pkg-config": "pkg-config"}
_TEXTS = ("COPYING", "COPYING.LGPLv2.1", "LICENSE", "LICENSE.md")
_LGPL = '#define FFMPEG_LICENSE "LGPL version 2.1 or later"'
_HOW_TO_GET = """\
# The source of this ffmpeg

It is made by `python -m small_ffmpeg` of spleeter-consumer, whose files are in `recipe/`, with the compiler in
`recipe/zig.txt`, from these source packages of Debian, whose licences lie in `licenses/`:

| source package | version | tarball | SHA-256 |
|---|---|---|---|
{rows}

Each can be had at the places that `recipe/sources.py` names. Before it is compiled, `recipe/recognition.py` and
`recipe/compiling.py` change FFmpeg's source, and nothing else does.
"""


def cache() -> Path:
    """The folder of what is built once."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "spleeter-consumer")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def made(architecture: str = platform.machine()) -> Path:
    """The folder with the program `ffmpeg`, its licences, recipe and sources' versions; made if there is none yet.

    Raises SystemExit with what is missing, or what failed.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _RECIPE)).hexdigest()[:12]
    target = cache() / f"ffmpeg-{architecture}-{digest}"
    with (cache() / "ffmpeg.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            work = target.with_suffix(".partial")  # of the same name each time: the program holds it
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            _make(work, architecture).replace(target)
            shutil.rmtree(work)
    return target


def put_into(folder: Path, found: Path) -> None:
    """Copy it into a folder, which is made where there is none. found: the folder that it was made in."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in found.iterdir():
        place = folder / path.name
        if path.is_dir():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(path, place)
        else:
            shutil.copy2(path, place)


def _make(work: Path, architecture: str) -> Path:
    if missing := [package for tool, package in _TOOLS.items() if not shutil.which(tool)]:
        raise SystemExit(f"ffmpeg's build needs: apt-get install {' '.join(missing)}")
    kept, sources = cache() / "sources", work / "sources"
    folders = {source.package: unpack(source, kept, sources) for source in (*LIBRARIES, FFMPEG)}
    compiler = Compiler(folder=work, architecture=architecture)
    compiler.install()
    for library in LIBRARIES:
        compiler.library(library.package, folders[library.package])
    main = folders[FFMPEG.package]
    recognition.free_from_libxml2(main)
    recognition.cut_readers(main, components.DEMUXERS)
    program = compiler.ffmpeg(main)
    if _LGPL not in (main / "config.h").read_text():
        raise SystemExit("what was configured is not under the LGPL 2.1")
    return _result(work / "result", program, folders, architecture)


def _result(result: Path, program: Path, folders: Mapping[str, Path], architecture: str) -> Path:
    result.mkdir()
    shutil.copy2(program, result / "ffmpeg")
    for package, folder in folders.items():
        texts = result / "licenses" / package
        texts.mkdir(parents=True)
        for text in _TEXTS:
            if (folder / text).exists():
                shutil.copy2(folder / text, texts)
    (result / "recipe").mkdir()
    for path in _RECIPE:
        shutil.copy2(path, result / "recipe")
    sources = {source.package: source.version for source in (FFMPEG, *LIBRARIES)}
    facts = {"version": FFMPEG.version, "architecture": architecture, "sources": sources}
    (result / "made.json").write_text(json.dumps(facts) + "\n")
    rows = "\n".join(f"| {s.package} | {s.version} | {s.tarball} | {s.sha256} |" for s in (*LIBRARIES, FFMPEG))
    (result / "SOURCES.md").write_text(_HOW_TO_GET.format(rows=rows))
    return result
