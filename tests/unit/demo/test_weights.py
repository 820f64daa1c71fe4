"""The model that the repository carries for the demo."""

from pathlib import Path

import pytest
from rich.console import Console

from consumer.core.checkpoints import checkpoint_files
from consumer.separator.models.spec import load_spec
from demo.__main__ import _model_path
from devstack.service import free_port

WEIGHTS = Path(__file__).parents[3] / "demo" / "weights"


def test_the_model_is_spleeters_only_narrower() -> None:
    """Its configuration differs from what Spleeter ships in the number of filters alone."""
    own, shipped = load_spec("2stems", WEIGHTS), load_spec("2stems", WEIGHTS / "elsewhere")
    assert own.stems == shipped.stems == ("vocals", "accompaniment")
    assert (own.segment_frames, own.frequency_bins) == (shipped.segment_frames, shipped.frequency_bins)
    assert own.mask_extension == shipped.mask_extension
    assert all(narrow <= wide for narrow, wide in zip(own.filters, shipped.filters, strict=True))


def test_the_model_is_complete_and_small() -> None:
    """A checkpoint with the file that keeps Spleeter from downloading another, under 4 MB in all.

    A conversion that a demo has left beside it is no part of it.
    """
    folder = WEIGHTS / "2stems"
    _, files = checkpoint_files("2stems", folder)
    assert all(path.stat().st_size for path in files)
    assert (folder / ".probe").read_text() == "OK"
    carried = [path for path in folder.iterdir() if path.suffix != ".safetensors"]
    assert sum(path.stat().st_size for path in carried) < 4_000_000


def test_without_a_way_to_the_pretrained_weights_the_demo_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether their source can't be reached or there is none."""
    monkeypatch.setenv("MODEL_PATH", str(tmp_path))
    for sources in (f"http://127.0.0.1:{free_port()}", "none"):
        monkeypatch.setenv("MODEL_SOURCES", sources)
        assert _model_path(Console(quiet=True))[0] == WEIGHTS
