"""Carries out Separate commands with Spleeter's networks, which stay loaded from one to the next. Imports numpy."""

import threading
import time

from consumer.core.checkpoints import require_named_weights
from consumer.core.errors import Rejected
from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary
from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import load_spec
from consumer.separator.protocol import Configure, Failed, Finished, Loaded, Needs, Progress, Reply, Send, Separate
from consumer.separator.runtimes.factory import leave_keras_out, make_runtime
from consumer.separator.track import TrackOrder, separate_track


class NetworkHandler:
    """See process.Handler. A model that was not loaded beforehand is loaded by the first command that asks for it."""

    def __init__(self, configuration: Configure) -> None:
        self._configuration = configuration
        self._ffmpeg = FFmpeg(
            binary=configuration.ffmpeg_path or bundled_binary(),
            allowed_formats=configuration.allowed_formats,
            has_own_group=False,  # it ends with ours
        )
        self._networks: dict[str, Network] = {}
        leave_keras_out()

    def load(self, send: Send) -> None:
        """Load the models that the configuration names; each is answered with Loaded or Failed."""
        for model in self._configuration.models:
            started = time.monotonic()
            try:
                self._network(model)
                send(Loaded(model, time.monotonic() - started))
            except Rejected as rejected:
                send(Failed.of(None, rejected.code, rejected.message))

    def __call__(self, order: Separate, send: Send, stop: threading.Event) -> Reply:
        track = TrackOrder(
            path=order.path,
            folder=order.folder,
            format=order.format,
            bitrate=order.bitrate,
            start_s=order.start_s,
            duration_s=order.duration_s,
            high_frequencies=order.high_frequencies,
            max_audio_s=order.max_audio_s,
            track=order.track,
            room_s=order.room_s,
        )
        separation = separate_track(
            track,
            self._network(order.model),
            self._ffmpeg,
            on_progress=lambda done, total: send(Progress(order.job, done, total)),
            on_needs=lambda audio_s: send(Needs(order.job, audio_s)),
            stop=stop,
        )
        return Finished.of(order.job, separation)

    def _network(self, model: str) -> Network:
        if model not in self._networks:
            spec = load_spec(model, self._configuration.model_path)
            # Before any of it is understood.
            require_named_weights(spec.name, spec.folder, self._configuration.digests)
            self._networks[model] = make_runtime(self._configuration.runtime).load(spec)
        return self._networks[model]
