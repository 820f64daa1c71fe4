"""A separator that takes as long as a real one would, times SPEED, and computes nothing: six of them fit on two cores.

Its stems are those of `harness.chaos.separator`, so that the oracle can tell whose they are.
"""

import os
import threading
import time
from collections.abc import Callable

from consumer.core.errors import Cancelled
from consumer.core.model import AudioFacts, Separation, StemFile
from consumer.separator.process import Handler, main
from consumer.separator.protocol import Configure, Finished, Loaded, Progress, Reply, Separate
from harness.chaos.separator import STEMS, stem_wav

SEGMENT_S = 524288 / 44100  # of audio


def make_handler(configuration: Configure, send: Callable[[Reply], None]) -> Handler:
    speed = float(os.environ["BENCH_SPEED"])  # seconds of audio a second
    time.sleep(float(os.environ["BENCH_START_S"]))
    for model in configuration.models:
        send(Loaded(model, 0.0))

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        audio_s = order.duration_s or 0.0
        segments = max(1, round(audio_s / SEGMENT_S))
        for segment in range(segments):
            if stop.wait(audio_s / segments / speed):
                raise Cancelled("stopped")
            send(Progress(order.job, segment + 1, segments))
        source = order.path.read_bytes()
        stems = []
        for name in STEMS:
            path = order.folder / f"{name}.{order.format}"
            path.write_bytes(stem_wav(source, name))
            stems.append(StemFile(name=name, path=path, duration_s=audio_s, peak=1.0, clipped_samples=0))
        audio = AudioFacts(format="wav", duration_s=audio_s, channels=2, sample_rate_hz=44100)
        return Finished.of(order.job, Separation(audio=audio, stems=tuple(stems), weights_sha256="0" * 64))

    return work


if __name__ == "__main__":
    main(make_handler)
