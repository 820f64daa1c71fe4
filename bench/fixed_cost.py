"""What a job costs beside its sound: one so short that ffmpeg's starts are most of it, on a warm separator."""

import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.material import write_song
from consumer.core.cancellation import Cancellation
from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.events import SeparationRequest, SourceObject
from consumer.core.model import Job
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import Configure
from consumer.settings import environment_without_secrets
from harness.checkpoints import write_checkpoint

_SONG_S, _PATIENCE_S = 0.2, 120.0
_NARROW = (4, 8, 8, 8, 8, 8)  # filters of networks that cost next to nothing


def fixed_costs_ms(programs: Mapping[str, str], format: str, jobs: int) -> dict[str, float]:
    """Of each ffmpeg, by its name and path: the median time of a job of two stems of that format."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        models = write_checkpoint(Path(folder) / "models", 2, seed=2, filters=_NARROW).parent
        song = write_song(Path(folder) / "song.mp3", _SONG_S)
        clients = {name: _client(models, program, Path(folder)) for name, program in programs.items()}
        for client in clients.values():
            running.callback(client.kill)
            client.prepare(_patience())
            _job_s(client, song, format)  # the first one reads what the next ones find in memory
        # They take turns, so that a busy moment of the machine meets all.
        rounds = [[_job_s(client, song, format) for client in clients.values()] for _ in range(jobs)]
    return {
        name: 1000 * statistics.median(times) for name, times in zip(clients, zip(*rounds, strict=True), strict=True)
    }


def _client(models: Path, program: str, scratch: Path) -> SeparatorClient:
    configuration = Configure(
        model_path=models, runtime="native", allowed_formats=SOURCE_FORMATS, models=("2stems",), scratch=scratch,
        ffmpeg_path=program,
    )  # fmt: skip
    return SeparatorClient(configuration, max_audio_s=60.0, environment=environment_without_secrets())


def _job_s(client: SeparatorClient, song: Path, format: str) -> float:
    request = SeparationRequest(request_id="bench", source=SourceObject(bucket="songs", key="song"), model="2stems")
    job = Job(
        request=request, output_bucket="stems", output_prefix="stems/bench/", format=format, bitrate=None,
        fingerprint="0" * 64,
    )  # fmt: skip
    began = time.perf_counter()
    client.separate(job, song, cancel=_patience(), on_progress=lambda done, total: None)
    return time.perf_counter() - began


def _patience() -> Cancellation:
    cancel = Cancellation()
    cancel.start_clock(_PATIENCE_S)
    return cancel
