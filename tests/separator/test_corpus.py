"""Sound files of every kind, decoded by this project and by another decoder: both give what the file truly holds, or
differ from it as harness/corpus/differences.toml says.
"""

from collections import Counter, defaultdict
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from devstack.system import provide
from harness.corpus.catalogue import catalogue
from harness.corpus.decoders import DECODERS, PACKAGES
from harness.corpus.listed import KINDS, kind, listed
from harness.corpus.specimen import Specimen, Truth
from harness.corpus.trial import tried

CORPUS = catalogue()
LISTED = listed()


@pytest.fixture(scope="module", autouse=True)
def decoders() -> None:
    provide(PACKAGES)


@pytest.mark.parametrize("specimen", CORPUS.values(), ids=CORPUS)
def test_what_a_file_holds_is_heard(specimen: Specimen, tmp_path: Path) -> None:
    """Length, start, channels, gain and title are as the file was made, by both decoders, but for what is listed; and
    what is listed is so.
    """
    found = tried(specimen, tmp_path)
    expected = defaultdict[str, set[str]](set)
    for difference in LISTED:
        if difference.is_of(specimen.name):
            expected[difference.decoder].update(difference.kinds)
    assert {who: set(map(kind, wrong)) for who, wrong in found.items()} == expected, found


def test_the_list_speaks_of_files_that_there_are() -> None:
    """Each of its patterns fits a file that this decoder reads, its kinds are known, and it says who is right."""
    for difference in LISTED:
        for pattern in difference.files:
            fitting = [one for name, one in CORPUS.items() if fnmatchcase(name, pattern)]
            assert fitting, pattern
            assert all(difference.decoder in ("ours", one.other) for one in fitting), pattern
        assert difference.decoder in {"ours", *DECODERS}
        assert difference.kinds
        assert set(difference.kinds) <= set(KINDS)
        assert difference.right
        assert len(difference.why) > 20
        assert (difference.code is not None) == (difference.decoder == "ours" and "refused" in difference.kinds)


def test_the_corpus_is_wide() -> None:
    """It has many files of each family, nearly all with a second decoder, from 1 to 64 channels and 8 to 384 kHz."""
    truths = [one.holds for one in CORPUS.values() if isinstance(one.holds, Truth)]
    assert len(CORPUS) >= 300
    assert min(Counter(name.partition("/")[0] for name in CORPUS).values()) >= 20
    assert sum(one.other is not None for one in CORPUS.values()) > 0.9 * len(CORPUS)
    assert {1, 2, 64} <= {truth.signal.channels for truth in truths}
    assert {8000, 11024, 44056, 384_000} <= {truth.signal.rate_hz for truth in truths}
    assert {1, 2} <= {truth.signal.frames for truth in truths}
    assert max(truth.signal.seconds for truth in truths) >= 120
