"""Has a specimen decoded by this project's own decoder and by the other one, and tells what is not as it should be."""

from pathlib import Path

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.errors import Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from harness.corpus.comparison import differences
from harness.corpus.decoders import Refused, other
from harness.corpus.specimen import Specimen, Truth

RATE_HZ = 44100  # of the models
_FFMPEG = FFmpeg(allowed_formats=SOURCE_FORMATS)


def tried(specimen: Specimen, folder: Path) -> dict[str, list[str]]:
    """Decoder -> what it gets wrong; decoders that get all right are left out. `ours` is this project's."""
    path = folder / specimen.name.replace("/", "-")
    specimen.make(path)
    found = {"ours": _ours(specimen, path)}
    if specimen.other is not None:
        found[specimen.other] = _other(specimen, specimen.other, path)
    return {who: what for who, what in found.items() if what}


def _ours(specimen: Specimen, path: Path) -> list[str]:
    holds = specimen.holds
    try:
        with Decoder(_FFMPEG, path, rate_hz=RATE_HZ, max_s=600.0) as decoder:
            heard = decoder.read(200 * RATE_HZ)
            title = decoder.probe.tags.texts.get("title")
    except Rejected as refusal:
        return [] if refusal.code == holds else [f"refused: {refusal.code}, {refusal.message}"]
    if not isinstance(holds, Truth):
        return [f"length: {len(heard)}, but it holds nothing ({holds})"]
    wrong = differences(heard, RATE_HZ, holds, holds.stereo())
    if specimen.title not in (None, title):
        wrong.append(f"title: {title!r}")
    return wrong


def _other(specimen: Specimen, name: str, path: Path) -> list[str]:
    holds = specimen.holds
    try:
        heard = other(name, path)
    except Refused as refusal:
        return [f"refused: {refusal}"] if isinstance(holds, Truth) else []
    if not isinstance(holds, Truth):
        return [f"length: {len(heard.samples)}, but it holds nothing"] if len(heard.samples) else []
    return differences(heard.samples, heard.rate_hz, holds, holds.separate())
