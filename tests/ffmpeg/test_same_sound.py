"""Files of every kind, decoded with the ffmpeg for sound alone and with the full one: the same samples, the same facts,
the same refusals, but for what is listed.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from consumer.separator.audio.ffmpeg import FFmpeg
from devstack.system import provide
from harness.corpus.catalogue import catalogue
from harness.corpus.decoders import PACKAGES
from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.corpus.specimen import Specimen
from tests.ffmpeg.hearing import differences, hear
from tests.separator import test_containers, test_hostile

pytestmark = pytest.mark.ffmpeg
CORPUS = catalogue()
# files → in what the small one differs from the full one, and why that is not wrong
LISTED: dict[str, tuple[frozenset[str], str]] = {}


@pytest.fixture(scope="module", autouse=True)
def decoders() -> None:
    provide(PACKAGES)


def listed(name: str) -> set[str]:
    return {kind for pattern, (kinds, _) in LISTED.items() if fnmatchcase(name, pattern) for kind in kinds}


@pytest.mark.parametrize("specimen", CORPUS.values(), ids=CORPUS)
def test_a_file_of_the_corpus(specimen: Specimen, small: FFmpeg, full: FFmpeg, tmp_path: Path) -> None:
    path = tmp_path / specimen.name.replace("/", "-")
    specimen.make(path)
    assert differences(hear(small, path), hear(full, path)) == listed(specimen.name)


@pytest.mark.parametrize("name", test_containers.BY_FFMPEG)
def test_a_container_that_is_not_opened(name: str, small: FFmpeg, full: FFmpeg, tmp_path: Path) -> None:
    path = encode(tmp_path / name, Signal(), *test_containers.BY_FFMPEG[name])
    assert differences(hear(small, path), hear(full, path)) == listed(name)


@pytest.mark.parametrize("name", test_hostile.REFUSED)
def test_a_file_that_is_refused(name: str, small: FFmpeg, full: FFmpeg, tmp_path: Path) -> None:
    make, _ = test_hostile.REFUSED[name]
    path = make(tmp_path)
    assert differences(hear(small, path), hear(full, path)) == listed(name)


def test_each_that_is_listed_is_there() -> None:
    names = [*CORPUS, *test_containers.BY_FFMPEG, *test_hostile.REFUSED]
    for pattern, (kinds, why) in LISTED.items():
        assert any(fnmatchcase(name, pattern) for name in names), pattern
        assert kinds
        assert len(why) > 20
