"""Run in an image: how many seconds a separator takes from its process's start until its model is loaded."""

import statistics
import sys
import time
from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.pipeline.model_store import ModelStore
from consumer.separator.client import SeparatorClient
from consumer.separator.models.conversion_cache import conversion_needed_by
from consumer.separator.protocol import Configure
from consumer.settings import SeparatorSettings, environment_without_secrets

_TIMES = 5


def start_s(configuration: Configure) -> float:
    """Of one that is ended afterwards."""
    started = time.monotonic()
    client = SeparatorClient(configuration, max_audio_s=60.0, environment=environment_without_secrets())
    try:
        client.prepare(Cancellation())
        return time.monotonic() - started
    finally:
        client.kill()


def main(model: str) -> None:
    """The median; the first time, in which its files are read, is left out, and so is what is done once."""
    settings = SeparatorSettings.load()
    ModelStore(settings.model_path, [], prepare=conversion_needed_by("native")).ensure(model)
    configuration = Configure(
        model_path=settings.model_path, runtime="native", allowed_formats=("mp3",), models=(model,),
        scratch=Path("/tmp"), ffmpeg_path=settings.ffmpeg_path, sandbox_required=True,
    )  # fmt: skip
    times = [start_s(configuration) for _ in range(_TIMES + 1)]
    sys.stdout.write(f"{statistics.median(times[1:]):.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
