"""Three stems: a checkpoint of that layout is loaded and separates; a replica answers a request for it."""

from pathlib import Path

from consumer.core.catalog import STEM_MODELS
from consumer.core.events import SeparationRequest, SeparationResult, SourceObject
from consumer.core.lag import Demand
from consumer.observability.throughput import Throughput
from consumer.testing import MemoryReplica
from harness.clips import write_clip
from harness.files import decode_file
from tests.recipes.copies import command

NAMES = ("vocals", "drums", "other")
NARROW = (2, 4, 4, 8, 8, 16)


def test_a_song_is_separated_by_it(tmp_path: Path) -> None:
    """`separate` finds its configuration beside its weights, in both bands, and writes its three stems."""
    from harness.checkpoints import write_checkpoint

    write_checkpoint(tmp_path / "models", 3, seed=3, filters=NARROW, names=NAMES)
    song = write_clip(tmp_path / "song.wav", seconds=2.0, seed=1)
    for model in ("3stems", "3stems-16kHz"):
        out = tmp_path / model
        command(
            "separate", str(song), "-o", str(out), "-p", f"spleeter:{model}", MODEL_PATH=str(tmp_path / "models"),
            MODEL_SOURCES="none",
        )  # fmt: skip
        stems = {path.stem: decode_file(path) for path in (out / "song").iterdir()}
        assert stems.keys() == set(NAMES) == set(STEM_MODELS[model].stems)
        assert {samples.shape for samples in stems.values()} == {decode_file(song).shape}
        assert any(abs(samples).max() > 0.01 for samples in stems.values())


def test_a_request_for_it_is_answered(tmp_path: Path) -> None:
    """The result names its three stems, in its order; the command line takes the number."""
    with MemoryReplica(tmp_path) as replica:
        replica.put("music", "song.mp3", b"any bytes")
        source = SourceObject(bucket="music", key="song.mp3")
        replica.send(SeparationRequest(request_id="r1", source=source, model="3stems"))
        outcome = replica.outcome("r1")
    assert isinstance(outcome, SeparationResult), outcome
    assert tuple(stem.name for stem in outcome.stems) == NAMES
    assert "2, 3, 4 or 5" in command("request", "--help").stdout


def test_its_work_is_reckoned_by_its_networks() -> None:
    """Before it was measured, it takes half as long again as a model of two."""
    speed = Throughput()
    speed.record("2stems", audio_s=100.0, work_s=10.0)
    work_s = {model: speed.work_s({model: Demand(audio_ms=60_000)}) for model in ("2stems", "3stems")}
    assert work_s["3stems"] / work_s["2stems"] == 1.5
