"""Files that name other files and addresses, in every form that a player follows, under every name of a song."""

import base64
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mutagen.oggvorbis import OggVorbis

from harness.hostile.decoy import Decoy
from harness.hostile.specimen import HostileFile, song

_SCHEMES = ("file:{path}", "{path}", "{url}", "concat:{path}|{path}", "subfile,,start,0,end,0,,:{path}", "cache:{url}")
_EXTENSIONS = ("mp3", "wav", "m4a")

# form -> text, with {there} for what it points at.
_LISTS = {
    "m3u": "#EXTM3U\n#EXTINF:1,song\n{there}\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    "#EXTINF:1.0,\n{there}\n#EXT-X-ENDLIST\n",
    "hls-key": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{there}"\n#EXTINF:1,\n{there}\n',
    "hls-map": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="{there}"\n#EXTINF:1,\n{there}\n#EXT-X-ENDLIST\n',
    "hls-variant": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{there}\n",
    "concat": "ffconcat version 1.0\nfile '{there}'\n",
    "pls": "[playlist]\nNumberOfEntries=1\nFile1={there}\n",
    "xspf": '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track><location>{there}'
    "</location></track></trackList></playlist>",
    "asx": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
    "wpl": '<?wpl version="1.0"?><smil><body><seq><media src="{there}"/></seq></body></smil>',
    "cue": 'FILE "{there}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"
    "a=control:{there}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration='
    '"PT1S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{there}'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "xxe": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{there}">]><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
    "&e;</MPD>",
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Id>{there}</Id></CompositionPlaylist>',
    "avisynth": 'WavSource("{there}")\n',
    "webloc": '<?xml version="1.0"?><plist version="1.0"><dict><key>URL</key><string>{there}</string></dict></plist>',
    "rtsp-text": "RTSPtext\n{there}\n",
    "ram": "{there}\n",
    "lavfi": "amovie={there}\n",
}


def files() -> Iterator[HostileFile]:
    for number, (form, text) in enumerate(_LISTS.items()):
        for turn, scheme in enumerate(_SCHEMES):
            extension = _EXTENSIONS[(number + turn) % len(_EXTENSIONS)]
            yield HostileFile(name=f"references/{form}-{turn}.{extension}", make=partial(_list, text, scheme))
    boxes: dict[str, Callable[[Decoy], bytes]] = {
        "mov-data-reference-url.m4a": partial(_moved, _url_box),
        "mov-data-reference-alias.m4a": partial(_moved, _alias),
        "mov-reference-movie.mov": _reference_movie, "id3-picture-by-link.mp3": _linked_picture,
        "flac-picture-by-link.flac": _linked_flac_picture, "ogg-picture-by-link.ogg": _linked_ogg_picture,
        "asf-script-command.wma": _script,
    }  # fmt: skip
    for name, make in boxes.items():
        yield HostileFile(name=f"references/{name}", make=make)


def _list(text: str, scheme: str, decoy: Decoy) -> bytes:
    there = scheme.format(path=decoy.song, url=decoy.url)
    return text.replace("{there}", there).replace("{port}", str(decoy.port)).encode()


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _url_box(decoy: Decoy) -> bytes:
    return _box(b"url ", bytes(4) + decoy.url.encode() + b"\0")


def _alias(decoy: Decoy) -> bytes:
    """A classic alias record whose only entry is the absolute path (kind 18), as QuickTime writes it."""
    path = str(decoy.song).encode()
    record = bytes(150) + struct.pack(">HH", 18, len(path)) + path + bytes(len(path) % 2) + struct.pack(">hH", -1, 0)
    return _box(b"alis", bytes(4) + struct.pack(">IH", 0, len(record) + 6) + record)


def _moved(entry: Callable[[Decoy], bytes], decoy: Decoy) -> bytes:
    """A movie whose samples are said to lie elsewhere; sizes of the boxes around are put right."""
    movie = bytearray(song("m4a"))
    at = movie.index(b"dref") - 4
    old = struct.unpack(">I", movie[at : at + 4])[0]
    new = _box(b"dref", bytes(4) + struct.pack(">I", 1) + entry(decoy))
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = movie.index(kind) - 4
        size = struct.unpack(">I", movie[place : place + 4])[0]
        movie[place : place + 4] = struct.pack(">I", size + len(new) - old)
    movie[at : at + old] = new
    return bytes(movie)


def _reference_movie(decoy: Decoy) -> bytes:
    data = _box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(decoy.url) + 1) + decoy.url.encode() + b"\0")
    return _box(b"ftyp", b"qt  \0\0\2\0qt  ") + _box(b"moov", _box(b"rmra", _box(b"rmda", data)))


def _linked_picture(decoy: Decoy) -> bytes:
    content = b"\0-->\0\3\0" + f"file://{decoy.song}".encode()
    frame = b"APIC" + struct.pack(">IH", len(content), 0) + content
    size = len(frame)
    return b"ID3\3\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frame + song("mp3")


def _picture_block(decoy: Decoy) -> bytes:
    link = decoy.url.encode()
    return struct.pack(">II", 3, 3) + b"-->" + bytes(20) + struct.pack(">I", len(link)) + link


def _linked_flac_picture(decoy: Decoy) -> bytes:
    block, whole = _picture_block(decoy), song("flac")
    info = bytearray(whole[4:42])
    info[0] &= 0x7F
    pictured = b"fLaC" + bytes(info) + struct.pack(">I", 6 << 24 | len(block)) + block
    return pictured + b"\x81\0\0\0" + whole[_frames(whole) :]


def _frames(whole: bytes) -> int:
    """Where the first frame begins."""
    at, is_last = 4, False
    while not is_last:
        is_last, size = bool(whole[at] & 0x80), int.from_bytes(whole[at + 1 : at + 4])
        at += 4 + size
    return at


def _linked_ogg_picture(decoy: Decoy) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "song.ogg"
        path.write_bytes(song("ogg"))
        tagged = OggVorbis(path)
        tagged["metadata_block_picture"] = [base64.b64encode(_picture_block(decoy)).decode()]
        tagged.save()
        return path.read_bytes()


def _script(decoy: Decoy) -> bytes:
    """A script command object (ASF, 3.6) that opens an address, in front of the header's others."""
    url = decoy.url.encode("utf-16-le")
    kind = "URLANDEXIT".encode("utf-16-le")
    command = (
        struct.pack("<HH", 1, 1) + struct.pack("<H", len(kind) // 2) + kind
        + struct.pack("<IHH", 0, 0, len(url) // 2) + url
    )  # fmt: skip
    guid = bytes.fromhex("301afb1e620bd011a39b00a0c90348f6")
    one = guid + struct.pack("<Q", 24 + 16 + len(command)) + bytes(16) + command
    whole = bytearray(song("wma"))
    size, count = struct.unpack("<QI", whole[16:28])
    whole[16:28] = struct.pack("<QI", size + len(one), count + 1)
    return bytes(whole[:30]) + one + bytes(whole[30:])
