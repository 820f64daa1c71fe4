"""What the ffmpeg for sound alone is made of: all that the separator uses, and no more."""

import hashlib
import re
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import imageio_ffmpeg
import pytest

from consumer.core.catalog import FORMATS, SOURCE_FORMATS
from consumer.separator.audio import ffmpeg as starting
from consumer.separator.audio.decoders import SOUND
from small_ffmpeg import components, recognition
from small_ffmpeg.sources import FFMPEG, LIBRARIES, Source, unpack

ROOT = Path(__file__).parents[2]
AUDIO = "\n".join(path.read_text() for path in (ROOT / "consumer/separator/audio").glob("*.py"))
# Where FFmpeg's configure script has another name than its programs.
CONFIGURED = {
    "mpeg": "mpegps", "atrac3plus": "atrac3p", "atrac3plusal": "atrac3pal", "real_144": "ra_144", "real_288": "ra_288",
    "g722": "adpcm_g722", "g726": "adpcm_g726", "g726le": "adpcm_g726le",
}  # fmt: skip

EXTERNAL = {"libfdk_aac", "libilbc", "libopencore_amrnb", "libopencore_amrwb", "libopus", "libspeex", "libvorbis"}


class QuietHandler(SimpleHTTPRequestHandler):
    """It serves files, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:
        return


def test_it_opens_what_may_be_sent() -> None:
    """Each container of SOURCE_FORMATS, and samples that are read without their header."""
    assert {CONFIGURED.get(name, name) for name in SOURCE_FORMATS} <= set(components.DEMUXERS)
    kinds = set(re.findall(r'"((?:[fsu](?:8|(?:16|24|32|64)[lb]e)|alaw|mulaw))"', AUDIO))
    assert len(kinds) > 5
    assert {f"pcm_{kind}" for kind in kinds} <= set(components.DEMUXERS)
    covers = {CONFIGURED.get(name, name) for name in re.findall(r'demuxer="(\w+)"', AUDIO)}
    assert {name if name == "gif" else f"image_{name}" for name in covers} <= set(components.DEMUXERS)


def test_it_decodes_what_strangers_files_may_have() -> None:
    """Each decoder of sound that the separator allows, by FFmpeg's own code; and those of covers."""
    wanted = {CONFIGURED.get(name, name) for name in SOUND} - EXTERNAL
    pictures = set(re.findall(r' decoder="(\w+)"', AUDIO))
    assert len(pictures) == 6
    assert set(components.DECODERS) == wanted | pictures


def test_it_writes_stems() -> None:
    """Each format's encoder and container, and what the separator lets itself be given on the way."""
    assert {row.codec for row in FORMATS.values()} - {"copy"} <= set(components.ENCODERS)
    assert {row.muxer for row in FORMATS.values()} <= set(components.MUXERS)
    given = set(re.findall(r'"-f", "(\w+)"', AUDIO)) | set(re.findall(r"\[f=(\w+)", AUDIO))
    assert {"tee", "ffmetadata", "framecrc"} <= given
    raw = {"f32le": "pcm_f32le"}
    assert {raw.get(name, name) for name in given} <= set(components.MUXERS)
    filters = set(re.findall(r"\b(a[a-z]+|pan|channelmap)=(?:start|sample_fmts|stereo|map|round|whole)", AUDIO))
    assert {"atrim", "asetpts", "pan", "channelmap", "aformat"} <= filters <= set(components.FILTERS)
    of_formats = {word.partition("=")[0] for row in FORMATS.values() for word in row.options if "=" in word}
    assert of_formats <= set(components.FILTERS)


def test_it_has_no_network_and_no_gpl() -> None:
    """Whatever is not named is off."""
    switches = components.switches()
    assert {"--disable-everything", "--disable-autodetect", "--disable-network"} <= set(switches)
    assert not [switch for switch in switches if "gpl" in switch or "version3" in switch or "nonfree" in switch]
    assert set(components.PROTOCOLS) == {"fd", "file", "pipe", "subfile"}


def test_other_containers_are_only_recognised(tmp_path: Path) -> None:
    """Of a container that is not kept nothing is left but its name and its looks; one that is kept stays as it is."""
    folder = tmp_path / "libavformat"
    folder.mkdir()
    row = """\
const FFInputFormat ff_{0}_demuxer = {{
    .p.name         = "{0}",
    .p.priv_class   = &{0}_class,
    .priv_data_size = sizeof(Context),
    .flags_internal = FF_INFMT_FLAG_INIT_CLEANUP,
    .read_probe     = {0}_probe,
    .read_header    = {0}_read_header,
    .read_packet    = {0}_read_packet,
    .read_seek2     = {0}_read_seek,
}};
"""
    (folder / "both.c").write_text(row.format("mov") + row.format("hls"))
    (folder / "rawdec.h").write_text("    .read_header    = ff_raw_video_read_header,\\\n")
    (folder / "demux.h").write_text("#ifndef A\n#define A\n#endif\n")
    (folder / "demux.c").write_text("int a;\n")
    assert recognition.cut_readers(tmp_path, ["mov"]) == ["hls"]
    text = (folder / "both.c").read_text()
    assert text.startswith(row.format("mov"))
    assert text.removeprefix(row.format("mov")) == (
        'const FFInputFormat ff_hls_demuxer = {\n    .p.name         = "hls",\n    .read_probe     = hls_probe,\n'
        "    .read_header    = ff_refuse_container,\n};\n"
    )
    assert (folder / "rawdec.h").read_text() == "    .read_header    = ff_refuse_container,\\\n"
    assert (folder / "demux.h").read_text().count("int ff_refuse_container(AVFormatContext *s);") == 1
    assert "AVERROR_DEMUXER_NOT_FOUND" in (folder / "demux.c").read_text()


def test_containers_that_libxml2_reads_are_recognised_without_it(tmp_path: Path) -> None:
    """Of each the licence and the looks are left, and what asks for the library is gone."""
    folder = tmp_path / "libavformat"
    folder.mkdir()
    text = """\
/*
 * Whose it is.
 */
#include <libxml/parser.h>
static int {0}_probe(const AVProbeData *p)
{{
    return 1;
}}
const FFInputFormat ff_{0}_demuxer = {{
    .p.name         = "{0}",
    .read_probe     = {0}_probe,
    .read_header    = {0}_read_header,
}};
"""
    for name in ("dash", "imf"):
        (folder / f"{name}dec.c").write_text(text.format(name))
    (folder / "Makefile").write_text("OBJS-$(A) += dash.o dashdec.o\nOBJS-$(B) += imfdec.o imf_cpl.o\n")
    (tmp_path / "configure").write_text('a\ndash_demuxer_deps="libxml2"\nimf_demuxer_deps="libxml2"\nb\n')
    recognition.free_from_libxml2(tmp_path)
    for name in ("dash", "imf"):
        left = (folder / f"{name}dec.c").read_text()
        assert left.startswith("/*\n * Whose it is.\n */\n")
        assert "libxml" not in left
        assert left.count(f"{name}_probe") == 2
        assert "read_header" not in left
    assert (folder / "Makefile").read_text() == "OBJS-$(A) += dash.o dashdec.o\nOBJS-$(B) += imfdec.o\n"
    assert (tmp_path / "configure").read_text() == "a\nb\n"


def test_versions_agree() -> None:
    """The wheel has FFmpeg's version, the READMEs name it, and each tarball is pinned by whole digests."""
    project = tomllib.loads((ROOT / "small_ffmpeg/pyproject.toml").read_text())["project"]
    assert project["version"] == FFMPEG.version
    assert f"FFmpeg {FFMPEG.version}" in (ROOT / "small_ffmpeg/README.md").read_text()
    for source in (FFMPEG, *LIBRARIES):
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
        assert re.search("/file/[0-9a-f]{40}$", source.places[1])
        assert source.version in source.tarball


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server's address, and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join(60)
    server.server_close()


def test_sources_are_those_of_their_digests(web: tuple[str, Path], tmp_path: Path) -> None:
    """The next place is asked where one has none or a wrong one; a kept tarball that is damaged is fetched anew."""
    address, folder = web
    (tmp_path / "thing-1.0").mkdir()
    (tmp_path / "thing-1.0/configure").write_text("#!/bin/sh\n")
    with tarfile.open(folder / "right.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "thing-1.0", "thing-1.0")
    (folder / "wrong.tar.gz").write_bytes(b"another one")
    sha256 = hashlib.sha256((folder / "right.tar.gz").read_bytes()).hexdigest()
    kept = tmp_path / "kept"
    kept.mkdir()

    def source(*names: str) -> Source:
        return Source(
            package="thing", version="1.0", tarball="t.tar.gz", sha256=sha256,
            places=tuple(f"{address}/{name}" for name in names),
        )  # fmt: skip

    for number, damaged in enumerate((b"", b"damaged", None)):
        if damaged is not None:
            (kept / "t.tar.gz").write_bytes(damaged)
        names = ("none.tar.gz", "wrong.tar.gz", "right.tar.gz") if damaged is not None else ()  # the last is kept now
        unpacked = unpack(source(*names), kept, tmp_path / str(number))
        assert unpacked == tmp_path / str(number) / "thing"
        assert (unpacked / "configure").read_text() == "#!/bin/sh\n"
    (kept / "t.tar.gz").unlink()
    with pytest.raises(SystemExit, match=r"(?s)t.tar.gz can't be had:.*none.*404.*wrong.*not the file that it should"):
        unpack(source("none.tar.gz", "wrong.tar.gz"), kept, tmp_path / "again")
    assert list(kept.iterdir()) == []


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The installed package of the ffmpeg for sound alone, with another program in it."""
    folder = tmp_path / "spleeter_ffmpeg"
    folder.mkdir()
    (folder / "__init__.py").write_text((ROOT / "small_ffmpeg/src/spleeter_ffmpeg/__init__.py").read_text())
    (folder / "ffmpeg").write_text("#!/bin/sh\necho here\n")
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("spleeter_ffmpeg", None)


def test_the_installed_one_is_taken(package: Path) -> None:
    """Before imageio-ffmpeg's. One that was not built is told how it is."""
    assert starting.bundled_binary() == str(package / "ffmpeg")
    assert subprocess.run([starting.bundled_binary()], capture_output=True, timeout=60, check=True).stdout == b"here\n"
    (package / "ffmpeg").unlink()
    with pytest.raises(FileNotFoundError, match="make ffmpeg"):
        starting.bundled_binary()


def test_without_it_others_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """imageio-ffmpeg's, then the one on PATH; where there is none, the package that is missing is named."""
    monkeypatch.setitem(sys.modules, "spleeter_ffmpeg", None)
    assert starting.bundled_binary() == imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="imageio_ffmpeg") as missing:
        starting.bundled_binary()
    assert missing.value.name == "imageio_ffmpeg"
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    assert starting.bundled_binary() == str(tmp_path / "ffmpeg")
