"""The engine against Spleeter itself, number by number, on networks whose masks really differ."""

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from spleeter.separator import Separator

from consumer.core.runtimes import SeparatorRuntime
from consumer.separator.dsp.engine import separate
from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
from harness.audio import error_db, music_samples, pcm16
from harness.files import decode_file, encode_file
from tests.separator.jobs import Harness
from tests.separator.reference import KeptSeparator, Reference, Samples, write_configuration

LoadNetwork = Callable[[str, str], Network]
LEAST_IDENTICAL = 0.995  # share of 16-bit samples
MOST_ERROR_DB = -90.0  # -122 to -134 is what was measured

HOP, FRAME, SEGMENT = 1024, 4096, 512 * 1024
# A frame of zeros is put in front, so a segment of 512 hops is full at SEGMENT - FRAME samples of the track; at
# SEGMENT - HOP samples all 512 frames are full of samples too, and what follows them is the next segment's alone.
FULL, WHOLE = SEGMENT - FRAME, SEGMENT - HOP
LENGTHS = (
    1, HOP, HOP + 1, FRAME, FRAME + 1, 44100,
    FULL - 1, FULL, FULL + 1, WHOLE - 1, WHOLE, WHOLE + 1, SEGMENT,
    SEGMENT + FULL, SEGMENT + FULL + 1, SEGMENT + WHOLE, SEGMENT + WHOLE + 1,
    3 * SEGMENT + 12345,
)  # fmt: skip


def loudest(track: Samples) -> Samples:
    return track / np.float32(np.abs(track).max())


SIGNALS: dict[str, Callable[[], Samples]] = {
    "mono": lambda: music_samples(2 * 44100)[:, :1],
    "one-sided": lambda: music_samples(2 * 44100) * np.asarray([1, 0], np.float32),
    "silence": lambda: np.zeros((SEGMENT, 2), np.float32),
    "quiet": lambda: music_samples(2 * 44100) * np.float32(1e-4),
    "music-in-silence": lambda: np.pad(music_samples(FRAME), ((SEGMENT, SEGMENT), (0, 0))),
    "full-scale": lambda: loudest(music_samples(2 * 44100)),
    "clipping": lambda: music_samples(2 * 44100) * np.float32(3),
}
FEW = (1, 44100, FULL + 1)
CASES = [
    *[("2stems", "zeros", signal) for signal in (*LENGTHS, *SIGNALS)],
    *[("2stems", "average", signal) for signal in (*FEW, "silence", "clipping")],
    *[(model, "zeros", signal) for model in ("4stems", "5stems") for signal in FEW],
    *[(f"{stems}stems-16kHz", "zeros", signal) for stems in (2, 4, 5) for signal in (44100, FULL + 1)],
]


def make_signal(signal: object) -> Samples:
    """The named signal, or music of so many samples."""
    return SIGNALS[signal]() if isinstance(signal, str) else music_samples(int(str(signal)))


@pytest.fixture(scope="module", params=[str(runtime) for runtime in SeparatorRuntime])
def runtime_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(full_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    kept = Reference(full_models, tmp_path_factory.mktemp("configurations"), make_signal)
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def load_network(full_models: Path) -> Callable[[str, str], Network]:
    """Loads a model by the runtime's and its name; keeps the last."""
    kept: dict[tuple[str, str], Network] = {}

    def load(runtime_name: str, model: str) -> Network:
        if (runtime_name, model) not in kept:
            kept.clear()
            kept[runtime_name, model] = make_runtime(runtime_name).load(load_spec(model, full_models))
        return kept[runtime_name, model]

    return load


def stems_of(network: Network, track: Samples, high_frequencies: str) -> dict[str, Samples]:
    """The engine's stems, each float32 (samples, 2)."""
    stereo, position = np.broadcast_to(track, (len(track), 2)), 0

    def read(count: int) -> Samples:
        nonlocal position
        position += count
        return stereo[position - count : position]

    segments = list(separate(network, read, high_frequencies=high_frequencies))
    return {name: np.concatenate([stems[i] for stems in segments]) for i, name in enumerate(network.spec.stems)}


def assert_same(got: Samples, wanted: Samples) -> None:
    assert got.shape == wanted.shape
    assert error_db(got, wanted) < MOST_ERROR_DB
    assert np.mean(pcm16(got) == pcm16(wanted)) >= LEAST_IDENTICAL


@pytest.mark.parametrize(("model", "extension", "signal"), CASES)
def test_stems_are_those_of_spleeter(
    model: str, extension: str, signal: object, runtime_name: str, reference: Reference, load_network: LoadNetwork
) -> None:
    """Each stem has Spleeter's length and, but for the last bit here and there, Spleeter's samples."""
    wanted = reference.stems(model, extension, signal)
    got = stems_of(load_network(runtime_name, model), make_signal(signal), extension)
    assert list(got) == list(wanted)
    for name in wanted:
        assert_same(got[name], wanted[name])


@pytest.mark.parametrize("model", list(dict.fromkeys(model for model, _, _ in CASES)))
def test_stems_of_the_test_networks_differ(model: str, reference: Reference) -> None:
    """No stem is near an equal share of the mix or near another stem, so that no engine passes by luck."""
    stems = reference.stems(model, "zeros", 44100)
    share = make_signal(44100) / len(stems)
    assert all(error_db(stem, share) > -12 for stem in stems.values())
    assert all(error_db(one, other) > -12 for one, other in combinations(stems.values(), 2))


def test_high_frequencies_of_the_test_signals_matter(runtime_name: str, load_network: LoadNetwork) -> None:
    """The two mask extensions are far apart on the music that they are compared on."""
    network, track = load_network(runtime_name, "2stems"), make_signal(44100)
    zeros, average = (stems_of(network, track, extension) for extension in ("zeros", "average"))
    assert all(error_db(zeros[name], average[name]) > -40 for name in zeros)


@pytest.fixture(scope="module")
def narrow_configuration(narrow_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_configuration(tmp_path_factory.mktemp("narrow") / "narrow.json", "2stems", narrow_models)


def test_the_kept_graph_is_spleeter_unchanged(narrow_configuration: Path) -> None:
    """What the engine is compared with gives, track after track, the very numbers of an untouched Separator."""
    plain, kept = Separator(str(narrow_configuration), multiprocess=False), KeptSeparator(narrow_configuration)
    first, second = music_samples(30000, seed=1), music_samples(50000, seed=2)
    kept.separate(first)
    got, wanted = kept.separate(second), plain.separate(second)
    kept.close()
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)


def test_files_are_those_of_spleeter(separator: Harness, narrow_configuration: Path, tmp_path: Path) -> None:
    """From an MP3 file to WAV files, through the separator process, the samples are Spleeter's."""
    path = encode_file(tmp_path / "song.mp3", music_samples(2 * SEGMENT))
    spleeter = KeptSeparator(narrow_configuration)
    wanted = spleeter.separate(decode_file(path))
    spleeter.close()
    for stem in separator.separate(path, format="wav").stems:
        assert_same(decode_file(stem.path), pcm16(wanted[stem.name]) / np.float32(32768))
