"""Songs in every container, cut short and with bits turned over, by the hundred: where, a seed says."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.hostile.decoy import Decoy
from harness.hostile.specimen import CONTAINERS, HostileFile, song

_CUTS, _FLIPS, _HEADER_FLIPS = 6, 8, 8
_HEADER_BYTES = 256


def files() -> Iterator[HostileFile]:
    for extension in CONTAINERS:
        for seed in range(_CUTS):
            yield HostileFile(name=f"cut/{seed}.{extension}", make=partial(_cut, extension, seed))
        for seed in range(_FLIPS):
            yield HostileFile(name=f"flipped/{seed}.{extension}", make=partial(_flipped, extension, seed, None))
        for seed in range(_HEADER_FLIPS):
            make = partial(_flipped, extension, 100 + seed, _HEADER_BYTES)
            yield HostileFile(name=f"flipped-header/{seed}.{extension}", make=make)


def _cut(extension: str, seed: int, _: Decoy) -> bytes:
    whole = song(extension)
    reach = _HEADER_BYTES if seed % 2 else len(whole)
    return whole[: int(np.random.default_rng(seed).integers(1, min(reach, len(whole))))]


def _flipped(extension: str, seed: int, within: int | None, _: Decoy) -> bytes:
    """One bit in 200 bytes, or eight within the first of them."""
    whole, random = np.frombuffer(song(extension), np.uint8).copy(), np.random.default_rng(seed)
    reach = min(within or len(whole), len(whole))
    places = random.integers(0, reach, 8 if within else max(1, reach // 200))
    whole[places] ^= np.left_shift(1, random.integers(0, 8, len(places))).astype(np.uint8)
    return whole.tobytes()
