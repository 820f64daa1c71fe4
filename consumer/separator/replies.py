"""What a separator process says, read with distrust: what it may not say now is no reply, and nobody believes the rest.

The process reads strangers' bytes. Should it be taken over, it may answer for another job, answer twice, lie about
what it has made, or talk without end.
"""

import time
from collections.abc import Callable, Collection, Iterator
from typing import IO, assert_never

from consumer.core.catalog import FORMATS, STEM_MODELS
from consumer.core.errors import WorkerCrashed
from consumer.core.model import AudioFacts, Separation, StemFile
from consumer.core.stem_files import NotAStem, opened_stem
from consumer.separator.protocol import (
    MAX_REPLY_BYTES,
    Alive,
    Confined,
    Failed,
    Finished,
    Loaded,
    Needs,
    NotAReply,
    Progress,
    Reply,
    Separate,
    SeparationReport,
    Stopped,
    decode_reply,
)

# Of replies that end nothing: so many at once, and so many more a second, on the whole.
_MOST_AT_ONCE, _MOST_PER_S = 2000, 500
_LONGER_S = 60.0  # that a track may be than was asked for: a segment is not cut


class ReplyReader:
    """Reads the replies of one process. `expect` may be called by any thread, the rest is one thread's.

    models: those that it is to load.
    """

    def __init__(self, output: IO[bytes], models: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._output, self._clock = output, clock
        self._loading, self._loads_left = set(models), len(models)
        self._job: int | None = None
        self._is_confined = False
        self._chatter, self._begun_at = 0, clock()

    def expect(self, job: int) -> None:
        """From now on replies about this job may come, until the one that ends it."""
        self._job = job

    @property
    def is_answered(self) -> bool:
        """Whether the last job has had the reply that ends it."""
        return self._job is None

    def __iter__(self) -> Iterator[Reply]:
        """Until the output ends. Raises NotAReply."""
        while line := self._output.readline(MAX_REPLY_BYTES):
            reply = decode_reply(line)
            self._admit(reply)
            yield reply

    def _admit(self, reply: Reply) -> None:
        match reply:
            case Alive() | Progress() | Needs():
                self._count_chatter()
            case Confined():
                if self._is_confined:
                    raise NotAReply("it was confined before")
                self._is_confined = True
            case Loaded():
                if reply.model not in self._loading:
                    raise NotAReply("a model that is not being loaded")
                self._loading.remove(reply.model)
                self._count_load()
            case Failed(job=None):
                self._count_load()
            case Finished() | Failed() | Stopped():
                pass
            case _:
                assert_never(reply)
        job = getattr(reply, "job", None)
        if job is not None and job != self._job:
            raise NotAReply("a reply to what was not asked for")
        if isinstance(reply, Finished | Failed | Stopped) and job is not None:
            self._job = None

    def _count_load(self) -> None:
        if not self._loads_left:
            raise NotAReply("no model is being loaded")
        self._loads_left -= 1

    def _count_chatter(self) -> None:
        self._chatter += 1
        if self._chatter > _MOST_AT_ONCE + _MOST_PER_S * (self._clock() - self._begun_at):
            raise NotAReply("it talks without end")


def checked_separation(report: SeparationReport, order: Separate) -> Separation:
    """What was reported, with the files that must lie where the order wanted them.

    Raises WorkerCrashed where what is reported can't be what the order asked for, or where what lies there can't be
    its stems.
    """
    most_s = min(order.max_audio_s, order.duration_s or order.max_audio_s) + _LONGER_S
    if tuple(stem.name for stem in report.stems) != STEM_MODELS[order.model].stems:
        raise _lie("of other stems")
    if max(report.audio.duration_s, *(stem.duration_s for stem in report.stems)) > most_s:
        raise _lie(f"of more than {most_s:g} s")
    if order.track is not None and report.audio.track != order.track:
        raise _lie("of another track")
    extension = FORMATS[order.format].extension
    stems = tuple(
        StemFile(
            name=stem.name,
            path=order.folder / f"{stem.name}.{extension}",
            duration_s=stem.duration_s,
            peak=stem.peak,
            clipped_samples=stem.clipped_samples,
            loudness_lufs=stem.loudness_lufs,
            overview=stem.overview,
        )
        for stem in report.stems
    )
    for stem in stems:
        try:
            with opened_stem(stem, order.format, order.bitrate):
                pass
        except NotAStem as error:
            raise _lie(f"of a stem {stem.name}: {error}") from error
    audio = report.audio
    return Separation(
        audio=AudioFacts(
            format=audio.format,
            duration_s=audio.duration_s,
            channels=audio.channels,
            sample_rate_hz=audio.sample_rate_hz,
            track=audio.track,
        ),
        stems=stems,
        weights_sha256=report.weights_sha256,
        warnings=report.warnings,
        timings_s={str(name): seconds for name, seconds in report.timings_s.items()},
    )


def _lie(what: str) -> WorkerCrashed:
    return WorkerCrashed(f"the separator process told {what}")
