"""Checkpoints and a warm separator process for the separator's tests, made once a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
from tests.separator.jobs import Harness, make_harness

NARROW = (4, 8, 8, 8, 8, 8)  # filters of a network that loads and runs fast
MAX_AUDIO_S = 60.0  # of the shared process


@pytest.fixture(scope="session")
def full_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODEL_PATH with networks of Spleeter's own size."""
    from harness.checkpoints import write_checkpoint  # loads TensorFlow

    root = tmp_path_factory.mktemp("full-models")
    for stems in (2, 4, 5):
        write_checkpoint(root, stems, seed=stems)
    return root


@pytest.fixture(scope="session")
def narrow_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODEL_PATH with a narrow 2stems network."""
    from harness.checkpoints import write_checkpoint

    root = tmp_path_factory.mktemp("narrow-models")
    write_checkpoint(root, 2, seed=1, filters=NARROW)
    return root


@pytest.fixture(scope="session")
def network(narrow_models: Path) -> Network:
    """That network, loaded in the test's own process."""
    return make_runtime("tensorflow").load(load_spec("2stems", narrow_models))


@pytest.fixture(scope="session")
def separator(narrow_models: Path) -> Iterator[Harness]:
    """A warm separator process with the narrow model; it refuses more than MAX_AUDIO_S."""
    ready = make_harness(narrow_models, max_audio_s=MAX_AUDIO_S)
    try:
        ready.prepare()
        yield ready
    finally:
        ready.client.kill()
