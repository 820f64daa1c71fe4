"""Digests of weights that are known beforehand: Spleeter's own releases, and those that MODEL_SHA256 names."""

import re
from collections.abc import Mapping

from consumer.core.catalog import MODELS

RELEASE = "https://github.com/deezer/spleeter/releases/download/v1.4.0"

# sha256 of each archive of that release, as Spleeter's project holds its own `checksum.json` to them: deezer/spleeter,
# tests/test_github_model_provider.py, at 64daa5a9172aa33ba155f051184528c4e969ad8e.
RELEASED_ARCHIVES: Mapping[str, str] = {
    "2stems": "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    "4stems": "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8",
    "5stems": "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218",
}


def is_release(address: str) -> bool:
    """Whether this is the address of the release whose archives are pinned, however it is spelt."""
    return _without_scheme(address) == _without_scheme(RELEASE)


def parse_model_digests(text: str) -> dict[str, str]:
    """Folder -> digest of its checkpoint, of text such as `2stems=0f3a...`, several with commas between.

    A model's name stands for its folder: 2stems-16kHz has the weights of 2stems. Raises ValueError.
    """
    digests: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        model, equals, digest = (word.strip() for word in part.partition("="))
        if not equals or not re.fullmatch(r"[0-9A-Fa-f]{64}", digest):
            raise ValueError("must be a list of model=sha256, each digest of 64 hexadecimal digits")
        if model not in MODELS:
            raise ValueError(f"there is no model {model[:40]!r}; there are {', '.join(MODELS)}")
        if digests.setdefault(MODELS[model], digest.lower()) != digest.lower():
            raise ValueError(f"two digests for the weights in {MODELS[model]}/")
    return digests


def _without_scheme(address: str) -> str:
    return re.sub(r"^https?://", "", address.strip().lower().rstrip("/"))
