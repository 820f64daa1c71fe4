"""Every file of the corpus, by its name."""

from harness.corpus import (
    accessories,
    apple,
    broadcast,
    channels,
    damage,
    edits,
    flac,
    movies,
    mpeg,
    ogg,
    rates_and_lengths,
    speech,
    structure,
    sun,
    wave,
    wave_blocks,
    wave_contents,
    wave_oddities,
)
from harness.corpus.specimen import Specimen

_FAMILIES = (
    wave, wave_blocks, wave_contents, wave_oddities, apple, sun, channels, rates_and_lengths, ogg, mpeg, flac, movies,
    edits, structure, broadcast, speech, damage, accessories,
)  # fmt: skip


def catalogue() -> dict[str, Specimen]:
    """name -> specimen, in a steady order."""
    found = [specimen for family in _FAMILIES for specimen in family.specimens()]
    by_name = {specimen.name: specimen for specimen in found}
    assert len(by_name) == len(found), "two specimens have one name"
    return by_name
