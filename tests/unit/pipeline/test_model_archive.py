"""Archives of weights that mean harm: nothing outside their folder, no more than expected, and refused in words."""

import gzip
import io
import os
import re
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.pipeline.model_archive import LIMITS, BadArchive, Limits, unpack

FILES = {
    "checkpoint": b'model_checkpoint_path: "model"\n',
    "model.index": b"index",
    "model.meta": b"graph",
    "model.data-00000-of-00001": bytes(range(256)) * 40,
}
OUTSIDE = "outside"  # a file beside the folder, which must stay as it is


def entry(name: str, content: bytes = b"", **fields: Any) -> bytes:
    """One entry as it lies in a tar file: its header, and its content up to the next block."""
    info = tarfile.TarInfo(name)
    info.size = fields.pop("size", len(content))
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def pax(**records: str) -> bytes:
    """A header of further facts about the entry that follows it."""
    text = b"".join(_record(key.replace("__", "."), value) for key, value in records.items())
    return entry("pax", text, type=tarfile.XHDTYPE)


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


END = bytes(1024)
WHOLE = b"".join(entry(name, content) for name, content in FILES.items())


def unpacked(tmp_path: Path, data: bytes, limits: Limits = LIMITS) -> dict[str, bytes]:
    """What is in the folder afterwards. Fails where anything beside it has changed."""
    (tmp_path / OUTSIDE).write_bytes(b"mine")
    (tmp_path / "archive.tar.gz").write_bytes(data)
    try:
        unpack(tmp_path / "archive.tar.gz", tmp_path / "model", model="2stems", limits=limits)
    finally:
        assert (tmp_path / OUTSIDE).read_bytes() == b"mine"
        assert {path.name for path in tmp_path.iterdir()} <= {OUTSIDE, "archive.tar.gz", "model"}
        assert all(path.is_file() and not path.is_symlink() for path in (tmp_path / "model").iterdir())
    return {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}


@pytest.mark.parametrize("options", [(), ("--format=pax",), ("--format=ustar",), ("--format=v7",)])
@pytest.mark.parametrize("of", [["."], sorted(FILES)])
def test_what_tar_packs_is_unpacked(tmp_path: Path, options: tuple[str, ...], of: list[str]) -> None:
    """A folder, or its files by name, in each of tar's formats; the file of the same name as its model's too."""
    packed = FILES | {"2stems.json": b"{}", "2stems-16kHz.json": b"{}", "model.native.safetensors": b"{}"}
    (tmp_path / "source").mkdir()
    for name, content in packed.items():
        (tmp_path / "source" / name).write_bytes(content)
    command = ["tar", "-cz", *options, "-C", str(tmp_path / "source"), *(of if of == ["."] else sorted(packed))]
    data = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    (tmp_path / "place").mkdir()
    assert unpacked(tmp_path / "place", data) == packed


def test_what_no_checkpoint_has_is_left_out(tmp_path: Path) -> None:
    """A readme, or what a Mac puts beside each file, is read past; it does no harm, and is not written."""
    more = entry("README", b"x" * 700) + entry("._checkpoint", b"y") + entry("model.tensors", b"z") + entry("a.py", b"")
    assert unpacked(tmp_path, gzip.compress(more + WHOLE + END)) == FILES


def link(kind: bytes, target: str, name: str = "model.index") -> bytes:
    return entry(name, type=kind, linkname=target)


REFUSED: dict[str, tuple[bytes, str]] = {
    "absolute": (entry("/tmp/outside", b"x"), "no plain file"),
    "parent": (entry("../outside", b"x"), "no plain file"),
    "parent_within": (entry("a/../../outside", b"x"), "no plain file"),
    "dotted": (entry("././model.index", b"x"), "no plain file"),
    "in_a_folder": (entry("sub/model.index", b"x"), "no plain file"),
    "backslash": (entry("..\\outside", b"x"), "no plain file"),
    "dot": (entry("..", b"x"), "no plain file"),
    "nameless": (entry("", b"x"), "no plain file"),
    "control_characters": (entry("model\n.index", b"x"), "no plain file"),
    "not_utf8": (entry("model.index").replace(b"model.index\0", b"model.inde\xff\0"), "no tar file"),
    "folder": (entry("model.index", type=tarfile.DIRTYPE), "no plain file"),
    "old_style_folder": (entry("model.index/", type=tarfile.AREGTYPE), "no plain file"),
    "long_prefix": (entry("a" * 60 + "/" + "b" * 60, b"x"), "no plain file"),
    "symbolic_link": (link(tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
    "link_then_write": (link(tarfile.SYMTYPE, f"../{OUTSIDE}") + entry("model.index", b"x"), "no plain file"),
    "hard_link": (link(tarfile.LNKTYPE, f"../{OUTSIDE}"), "no plain file"),
    "hard_link_with_content": (entry("model.index", b"x", type=tarfile.LNKTYPE, linkname="checkpoint"), "no plain"),
    "file_with_link_name": (entry("model.index", b"x", linkname=f"../{OUTSIDE}"), "no plain file"),
    "pipe": (entry("model.index", type=tarfile.FIFOTYPE), "no plain file"),
    "character_device": (entry("model.index", type=tarfile.CHRTYPE, devmajor=1, devminor=5), "no plain file"),
    "block_device": (entry("model.index", type=tarfile.BLKTYPE), "no plain file"),
    "contiguous": (entry("model.index", b"x", type=tarfile.CONTTYPE), "no plain file"),
    "unknown_type": (entry("model.index", b"x", type=b"Z"), "no plain file"),
    "gnu_sparse": (entry("model.index", b"x", type=tarfile.GNUTYPE_SPARSE), "no plain file"),
    "gnu_long_name": (entry("././@LongLink", b"../outside\0", type=tarfile.GNUTYPE_LONGNAME), "no plain file"),
    "gnu_long_link": (entry("././@LongLink", b"../outside\0", type=tarfile.GNUTYPE_LONGLINK), "no plain file"),
    "solaris_header": (entry("model.index", b"x", type=tarfile.SOLARIS_XHDTYPE), "no plain file"),
    "pax_renames": (pax(path="../outside") + entry("model.index", b"x"), "changes an entry's path"),
    "pax_links": (pax(linkpath="/etc/passwd") + link(tarfile.SYMTYPE, "x"), "changes an entry's linkpath"),
    "pax_resizes": (pax(size="1") + entry("model.index", b"xy"), "changes an entry's size"),
    "pax_sparse": (pax(GNU__sparse__major="1", GNU__sparse__name="../x") + entry("model.index"), "GNU.sparse"),
    "pax_of_all": (
        entry("pax", _record("path", "../outside"), type=tarfile.XGLTYPE) + entry("model.index", b"x"),
        "changes an entry's path",
    ),
    "pax_renames_behind_times": (pax(mtime="1.5", path="../outside") + entry("model.index"), "an entry's path"),
    "pax_damaged": (entry("pax", b"99999 path=x\n", type=tarfile.XHDTYPE), "damaged header"),
    "pax_of_a_megabyte": (entry("pax", b"7 a=b\n" * 180_000, type=tarfile.XHDTYPE), "header of 1080000 bytes"),
    "twice": (entry("model.index", b"1") + entry("model.index", b"2"), "twice"),
    "twice_by_another_spelling": (entry("model.index", b"1") + entry("./model.index", b"2"), "twice"),
    "negative_size": (entry("model.index", b"x", size=-1), "negative size|no tar file"),
    "size_past_the_end": (entry("model.index", b"x", size=5000), "cut short|no tar file"),
    "large_index": (entry("model.index", size=17 << 20), "more than 16777216"),
    "large_state": (entry("checkpoint", size=1 << 17), "more than 65536"),
    "terabytes": (entry("model.data-00000-of-00001", size=1 << 43), "more than 805306368"),
    "many_entries": (b"".join(entry(f"n{n}") for n in range(200)), "more than 128 entries"),
    "many_files": (b"".join(entry(f"m.data-{n:05}-of-00100") for n in range(100)), "more than 32 files"),
    "no_checksum_of_a_header": (entry("model.index", b"x").replace(b"ustar", b"usta1"), "no tar file"),
}


@pytest.mark.attack
@pytest.mark.parametrize(("bad", "told"), REFUSED.values(), ids=REFUSED)
def test_an_entry_that_is_no_file_of_a_checkpoint_is_refused(tmp_path: Path, bad: bytes, told: str) -> None:
    """In front of a whole checkpoint, or behind it; nothing beside the folder is touched."""
    for place, data in (("front", bad + WHOLE), ("behind", WHOLE + bad)):
        (tmp_path / place).mkdir()
        with pytest.raises(BadArchive, match=f"{told}|twice" if place == "behind" else told):
            unpacked(tmp_path / place, gzip.compress(data + END))


SOUND = gzip.compress(WHOLE + END)
FRAMES: dict[str, tuple[bytes, str]] = {
    "second_member": (SOUND + gzip.compress(entry("../outside", b"x") + END), "something follows"),
    "second_member_of_nothing": (SOUND + gzip.compress(b""), "something follows"),
    "garbage_behind": (SOUND + b"x", "something follows"),
    "entries_behind_the_end": (gzip.compress(WHOLE + END + entry("../outside", b"x")), "something follows"),
    "without_an_end": (gzip.compress(WHOLE), "cut short"),
    "cut_in_the_checksum": (SOUND[:-4], "cut short"),
    "cut_in_half": (SOUND[: len(SOUND) // 2], "cut short"),
    "cut_in_the_header": (SOUND[:5], "cut short"),
    "empty": (b"", "cut short"),
    "wrong_checksum": (SOUND[:-8] + bytes(4) + SOUND[-4:], "damaged"),
    "wrong_length": (SOUND[:-4] + bytes(4), "damaged"),
    "not_packed": (WHOLE + END, "no gzip file"),
    "zlib": (zlib.compress(WHOLE + END), "no gzip file"),
}


@pytest.mark.attack
@pytest.mark.parametrize(("data", "told"), FRAMES.values(), ids=FRAMES)
def test_an_archive_that_is_not_whole_or_goes_on_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    """One gzip file, from its first byte to its last."""
    with pytest.raises(BadArchive, match=told):
        unpacked(tmp_path, data)


def test_zeros_behind_it_are_padding(tmp_path: Path) -> None:
    """tar fills its last record with zeros, and what writes to a tape fills gzip's."""
    assert unpacked(tmp_path, gzip.compress(WHOLE + bytes(20 * 512)) + bytes(700_000)) == FILES


def bomb(of: Callable[[int], bytes], total: int) -> bytes:
    """An archive that unpacks to this many bytes and more, packed piece by piece."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packed:
        packed.write(of(total))
        for _ in range(total >> 20):
            packed.write(bytes(1 << 20))
        packed.write(END)
    return out.getvalue()


BOMBS: dict[str, Callable[[int], bytes]] = {
    "data": lambda size: entry("model.data-00000-of-00001", size=size),
    "unexpected": lambda size: entry("README", size=size),
    "zeros_behind_the_end": lambda size: WHOLE,
}


@pytest.mark.attack
@pytest.mark.parametrize("of", BOMBS.values(), ids=BOMBS)
def test_an_archive_of_a_megabyte_that_grows_a_thousandfold_ends_early(
    tmp_path: Path, of: Callable[[int], bytes]
) -> None:
    """Long before the disk is full, whatever it calls what it holds: trained weights hardly shrink."""
    data = bomb(of, 700 << 20)
    assert len(data) < 1 << 20
    with pytest.raises(BadArchive, match="unpacks to more than"):
        unpacked(tmp_path, data)
    written = sum(path.stat().st_size for path in (tmp_path / "model").iterdir())
    assert written <= LIMITS.of(len(data)) < 80 << 20


@pytest.mark.attack
def test_the_sum_of_many_files_is_bounded(tmp_path: Path) -> None:
    """Not each file alone, and headers count too."""
    data = b"".join(entry(f"m.data-{n:05}-of-00030", os.urandom(1000)) for n in range(30))
    limits = Limits(total_bytes=30 * 1536 + 1024 - 1)
    with pytest.raises(BadArchive, match="unpacks to more than 47103 bytes"):
        unpacked(tmp_path, gzip.compress(data + END), limits)
    (tmp_path / "again").mkdir()
    assert len(unpacked(tmp_path / "again", gzip.compress(data + END), Limits(total_bytes=47104))) == 30


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Nothing is unpacked over what somebody else has put there."""
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError):
        unpacked(tmp_path, SOUND)
    assert not re.findall(r"\w", "".join(path.name for path in (tmp_path / "model").iterdir()))
