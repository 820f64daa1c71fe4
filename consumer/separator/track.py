"""Separates one local file into stem files: decode, separate, measure, encode, all at the same time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.core.errors import Cancelled, Code, Rejected
from consumer.core.model import Separation, StemFile
from consumer.core.ports import OnProgress
from consumer.separator.audio.cover import cover_of
from consumer.separator.audio.decode import Decoder, too_long
from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.meter import Meter
from consumer.separator.audio.stem_writer import stem_writer
from consumer.separator.audio.tracks import AudioFile
from consumer.separator.dsp.concurrency import Sink
from consumer.separator.dsp.engine import separate
from consumer.separator.dsp.network import Network
from consumer.separator.dsp.spectral import Samples
from consumer.separator.models.spec import ModelSpec

# Samples that are measured and encoded at a time: what is made of them on the way stays in a core's cache.
_BLOCK_SAMPLES = 1 << 15
_FIRST_NEED_S = 60.0  # where a file's headers don't tell how long it is

# Called with the seconds that each stem is going to have: before work, and again whenever it gets longer than that.
OnNeeds = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOrder:
    """What to do with one file.

    path: the file. folder: where the stems are written, as <stem>.<extension of the format>. format, bitrate: as in
    Encoding. start_s, duration_s: the span to separate, None for all. high_frequencies: zeros or average, above the
    model's band; None for what the model's configuration says. max_audio_s: longer audio is refused. track: the number
    of the file's audio track, from 0, None for the one that players take. room_s: seconds of audio whose stems
    `folder` can ever hold, None where that is not known.
    """

    path: Path
    folder: Path
    format: str = "wav"
    bitrate: str | None = None
    start_s: float | None = None
    duration_s: float | None = None
    high_frequencies: str | None = None
    max_audio_s: float = float("inf")
    track: int | None = None
    room_s: float | None = None

    @property
    def most_s(self) -> float:
        """Longer audio is refused, for whichever reason."""
        return self.max_audio_s if self.room_s is None else min(self.max_audio_s, self.room_s)


def separate_track(
    order: TrackOrder,
    network: Network,
    ffmpeg: FFmpeg,
    *,
    on_progress: OnProgress = lambda done, total: None,
    on_needs: OnNeeds = lambda audio_s: None,
    stop: threading.Event | None = None,
) -> Separation:
    """Separate the file. Setting `stop` ends it with Cancelled after the segment at hand.

    Raises Rejected with the code of what is wrong with the file, WorkerCrashed if ffmpeg was killed. A stem gets
    its name when all are whole; until then it is a .part file, and what bore the name before stays as it was.
    """
    started = time.monotonic()
    ffmpeg = ffmpeg.confined_to(order.path, order.folder)
    with ExitStack() as stack:
        stack.enter_context(_scratch_named(order))
        decoder = stack.enter_context(_open_decoder(order, ffmpeg, network.spec.sample_rate_hz))
        total = _expected_segments(order, decoder, network.spec)
        needs = _Needs(order, on_needs, _expected_s(order, decoder))
        encoding = Encoding(
            format=order.format,
            rate_hz=network.spec.sample_rate_hz,
            bitrate=order.bitrate,
            tags=decoder.probe.tags,
        )
        chosen = stack.enter_context(cover_of(ffmpeg, order.path, decoder.probe.tags, order.folder, encoding))
        encoding = replace(encoding, cover=chosen.cover)
        outputs = [
            stack.enter_context(
                _StemOutput(ffmpeg, _stem_path(order, name), encoding, Meter(network.new_weighting(encoding.rate_hz)))
            )
            for name in network.spec.stems
        ]
        segments = stack.enter_context(
            closing(separate(network, decoder.read, high_frequencies=order.high_frequencies))
        )
        for done, stems in enumerate(segments, 1):
            if stop and stop.is_set():
                raise Cancelled("stopped")
            needs.grow_to(decoder.facts.duration_s)
            for output, samples in zip(outputs, stems, strict=True):
                output.write(samples)
            on_progress(done, total)
        separated = time.monotonic()
        files = tuple(output.finish() for output in outputs)
        for output in outputs:
            output.publish()
        return Separation(
            audio=decoder.facts,
            stems=files,
            weights_sha256=network.weights_sha256,
            warnings=(*decoder.warnings, *chosen.warnings),
            timings_s={"separate": separated - started, "encode_tail": time.monotonic() - separated},
        )


def _open_decoder(order: TrackOrder, ffmpeg: FFmpeg, rate_hz: int) -> Decoder:
    return Decoder(
        ffmpeg,
        AudioFile(path=order.path, track=order.track),
        rate_hz=rate_hz,
        start_s=order.start_s,
        duration_s=order.duration_s,
        max_s=order.most_s,
    )


def _stem_path(order: TrackOrder, name: str) -> Path:
    return order.folder / f"{name}.{FORMATS[order.format].extension}"


@contextmanager
def _scratch_named(order: TrackOrder) -> Iterator[None]:
    """Within this, audio that is too long for the room that its stems have is told to be that."""
    try:
        yield
    except Rejected as rejected:
        if rejected.code is Code.AUDIO_TOO_LONG and order.most_s < order.max_audio_s:
            why = f"SCRATCH_DIR holds {order.format} stems of {order.most_s:.0f} s at most, and the audio is longer"
            raise Rejected(Code.AUDIO_TOO_LONG, why) from rejected
        raise


class _Needs:
    """Tells how long the stems are going to be. expected_s: by the headers, which may lie."""

    def __init__(self, order: TrackOrder, tell: OnNeeds, expected_s: float | None) -> None:
        self._order, self._tell = order, tell
        self._told_s = 0.0
        self.grow_to(_FIRST_NEED_S if expected_s is None else expected_s)

    def grow_to(self, audio_s: float) -> None:
        """Tell of twice as much as the last time, or of this, where it has got longer than what was told."""
        if audio_s > self._told_s:
            self._told_s = min(max(audio_s, 2 * self._told_s), max(audio_s, self._order.most_s))
            self._tell(self._told_s)


def _expected_segments(order: TrackOrder, decoder: Decoder, spec: ModelSpec) -> int | None:
    expected_s = _expected_s(order, decoder)
    return None if expected_s is None else -(-int(expected_s * spec.sample_rate_hz) // spec.segment_samples)


def _expected_s(order: TrackOrder, decoder: Decoder) -> float | None:
    """Seconds to separate, by the headers; None where they don't tell.

    Raises Rejected(AUDIO_TOO_LONG) at once where they say that it is too long, if that is true.
    """
    if decoder.probe.duration_s is None:
        return order.duration_s
    left_s = max(0.0, decoder.probe.duration_s - (order.start_s or 0.0))
    expected_s = left_s if order.duration_s is None else min(left_s, order.duration_s)
    if expected_s > order.most_s and decoder.is_longer_than(order.most_s):
        raise too_long(order.most_s)
    return expected_s


class _StemOutput:
    """One stem on its way to a file: measured and encoded in a thread of its own, so that encoders run side by side."""

    def __init__(self, ffmpeg: FFmpeg, path: Path, encoding: Encoding, meter: Meter) -> None:
        self._path, self._rate_hz, self._meter = path, encoding.rate_hz, meter
        self._partial = path.with_suffix(".part")
        self._writer = stem_writer(ffmpeg, self._partial, encoding)
        self._sink = Sink(self._take)

    def _take(self, samples: Samples) -> None:
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            block = samples[start : start + _BLOCK_SAMPLES]
            self._meter.add(block)
            self._writer.write(block)

    def write(self, samples: Samples) -> None:
        """Hand over float32 (samples, 2). Raises what an earlier call's encoding raised."""
        self._sink.put(samples)

    def finish(self) -> StemFile:
        """Wait until all is encoded. Raises as Encoder.finish."""
        self._sink.finish()
        self._writer.finish()
        return StemFile(
            name=self._path.stem,
            path=self._path,
            duration_s=self._meter.samples / self._rate_hz,
            peak=self._meter.peak,
            clipped_samples=self._meter.clipped_samples,
            loudness_lufs=self._meter.loudness_lufs,
            overview=self._meter.overview,
        )

    def publish(self) -> None:
        """Give the whole file its name, in place of what may bear it."""
        self._partial.replace(self._path)

    def __enter__(self) -> "_StemOutput":
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._writer.__exit__(None, None, None)  # first: it ends a write that hangs
        self._sink.close()
        if kind is not None:
            with suppress(OSError):  # what led here is what is to be told
                self._partial.unlink()  # half a stem is none
