"""AIFF: asked for on the command line and by request, and written by the real ffmpeg."""

import subprocess
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.core.events import OutputOptions
from consumer.pipeline.stages.validate import Validate
from harness.clips import write_clip
from harness.fakes import a_request
from harness.files import decode_file, describe
from tests.recipes.copies import command


def test_a_song_is_separated_into_it(tmp_path: Path) -> None:
    """`separate` writes both stems, whole, with 24 bits a sample."""
    song = write_clip(tmp_path / "song.wav", seconds=2.0, seed=1)
    command("separate", str(song), "-o", str(tmp_path / "out"), "-c", "aiff", MODEL_PATH="demo/weights")
    stems = sorted((tmp_path / "out" / "song").iterdir())
    assert [stem.name for stem in stems] == ["accompaniment.aiff", "vocals.aiff"]
    for stem in stems:
        assert describe(stem).codec == "pcm_s24be"
        assert decode_file(stem).shape == decode_file(song).shape


def test_it_can_be_asked_for() -> None:
    """A request may name it, the command's help lists it, and other words are still refused."""
    validate = Validate(source_buckets=["in"], output_bucket="out", output_prefix="")
    assert validate(a_request(output=OutputOptions(format="aiff"))).format == "aiff"
    assert FORMATS["aiff"].media_type == "audio/aiff"
    assert "aiff" in command("request", "--help").stdout
    refused = command("request", "music/a.wav", "--format", "aif", code=2)
    assert "aiff" in refused.stderr


def test_a_stem_is_stored_as_what_it_is() -> None:
    """ffmpeg of this installation knows the encoder."""
    from consumer.separator.audio.ffmpeg import bundled_binary

    listed = subprocess.run(
        [bundled_binary(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=True, timeout=120
    )
    assert f" {FORMATS['aiff'].codec} " in listed.stdout
