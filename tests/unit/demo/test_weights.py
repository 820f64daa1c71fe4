"""The model that the repository carries for the demo."""

from pathlib import Path

from consumer.separator.models import checkpoint_files, load_spec

WEIGHTS = Path(__file__).parents[3] / "demo" / "weights"


def test_the_model_is_spleeters_only_narrower() -> None:
    """Its configuration differs from what Spleeter ships in the number of filters alone."""
    own, shipped = load_spec("2stems", WEIGHTS), load_spec("2stems", WEIGHTS / "elsewhere")
    assert own.stems == shipped.stems == ("vocals", "accompaniment")
    assert (own.segment_frames, own.frequency_bins) == (shipped.segment_frames, shipped.frequency_bins)
    assert own.mask_extension == shipped.mask_extension
    assert all(narrow <= wide for narrow, wide in zip(own.filters, shipped.filters, strict=True))


def test_the_model_is_complete_and_small() -> None:
    """A checkpoint with the file that keeps Spleeter from downloading another, under 4 MB in all."""
    folder = WEIGHTS / "2stems"
    _, files = checkpoint_files("2stems", folder)
    assert all(path.stat().st_size for path in files)
    assert (folder / ".probe").read_text() == "OK"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
