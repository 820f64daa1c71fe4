"""Leaves of the containers that are not to be opened only how they are told from others.

A file of another kind must not be taken for one that looks a little like it and be decoded wrongly: a Dolby TrueHD
stream holds what looks like AC-3. So FFmpeg has to know all kinds. But what reads them further is cut out of its
source, and an attempt to open one ends as for a container that it does not know.

FFmpeg leaves out those that it reads by libxml2 where that is not there. Their looks need no libxml2, so they are kept.
"""

import re
from collections.abc import Collection
from pathlib import Path

_DEMUXER = re.compile(r"^const FFInputFormat ff_(\w+)_demuxer = \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
_READERS = re.compile(
    r"^[ \t]*\.(?:read_(?!probe)\w+|priv_data_size|p\.priv_class|flags_internal)[ \t]*=.*\n", re.MULTILINE
)
_REFUSAL = """\
/* Opens nothing: this container is only told from others. */
int ff_refuse_container(AVFormatContext *s);
"""
_DEFINITION = """

int ff_refuse_container(AVFormatContext *s)
{
    return AVERROR_DEMUXER_NOT_FOUND;
}
"""
# What makes the demuxers of bare pictures and subtitles, none of which is kept.
_MACRO_READERS = re.compile(r"\.read_header( *)= ff_raw_(?:video|subtitle)_read_header,")
# Containers whose readers need libxml2, and what else of theirs needs it.
_BY_LIBXML2 = {"dash": (), "imf": ("imf_cpl.o",)}
_LOOKS_ALONE = """\
{licence}
#include <string.h>

#include "libavutil/avstring.h"
#include "demux.h"
#include "internal.h"

{probe}
{demuxer}"""


def free_from_libxml2(source: Path) -> None:
    """Edit FFmpeg's source in place: of each container that is read by libxml2 the looks alone, and without it."""
    configure, makefile = source / "configure", source / "libavformat/Makefile"
    for name, objects in _BY_LIBXML2.items():
        path = source / f"libavformat/{name}dec.c"
        text = path.read_text()
        licence = text[: text.index("*/") + 3]
        (probe,) = re.findall(rf"^static int {name}_probe\(.*?^}}\n", text, re.MULTILINE | re.DOTALL)
        (demuxer,) = (match[0] for match in _DEMUXER.finditer(text) if match[1] == name)
        path.write_text(_LOOKS_ALONE.format(licence=licence, probe=probe, demuxer=f"{_READERS.sub('', demuxer)}\n"))
        configure.write_text(configure.read_text().replace(f'{name}_demuxer_deps="libxml2"\n', ""))
        for object_ in objects:
            makefile.write_text(makefile.read_text().replace(f" {object_}\n", "\n"))


def cut_readers(source: Path, kept: Collection[str]) -> list[str]:
    """Edit FFmpeg's source in place; returns the names of the containers that it can't open any more."""
    folder = source / "libavformat"
    cut: list[str] = []
    for path in sorted(folder.glob("*.c")):
        text = path.read_text("utf-8", "surrogateescape")
        names: list[str] = []

        def without_readers(match: re.Match[str], names: list[str] = names) -> str:
            name, fields = match.groups()
            if name in kept:
                return match[0]
            names.append(name)
            fields = _READERS.sub("", fields)
            fields += "    .read_header    = ff_refuse_container,\n"
            return f"const FFInputFormat ff_{name}_demuxer = {{\n{fields}}};"

        edited = _DEMUXER.sub(without_readers, text)
        if names:
            path.write_text(edited, "utf-8", "surrogateescape")
            cut += names
    macros = folder / "rawdec.h"
    macros.write_text(_MACRO_READERS.sub(r".read_header\1= ff_refuse_container,", macros.read_text()))
    header = folder / "demux.h"
    text = header.read_text()
    end = text.rindex("#endif")
    header.write_text(f"{text[:end]}{_REFUSAL}\n{text[end:]}")
    with (folder / "demux.c").open("a") as file:
        file.write(_DEFINITION)
    return cut
