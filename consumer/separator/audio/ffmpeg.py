"""Runs ffmpeg: on local files only, with a list of containers it may open, within bounds that the kernel enforces."""

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from consumer.core.errors import WorkerCrashed
from consumer.separator.audio.decoders import SOUND
from consumer.separator.running import RunningProgram, run_confined
from consumer.separator.sandbox import Reach, reach_of_programs
from consumer.separator.spawn import Program

# A decoder needs far less, and no stem is so long; a damaged or hostile file must not take more.
_LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_FSIZE: 64 << 30,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
}
_FIRST_LINES, _LAST_LINES, _LINE_CHARS = 500, 200, 1000  # of its standard error that are kept
_SOUGHT_LINES, _SOUGHT_BYTES = 4000, 4096  # of those that are looked for; it opens 1000 streams at most
# How it ends when somebody else ends it: the kernel for want of memory, a machine that is shut down, an operator. What
# it can catch of that it answers with 255. A crash, or too much memory for its own limit, is the file's doing.
_CAUGHT = 255
_ENDED_BY_OTHERS = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, _CAUGHT})
# So ends also what fails with a plain -1, as some demuxers do at sizes that can't be; but that it tells in these words.
_MINUS_ONE = "Operation not permitted"
PIPE_BYTES = 1 << 20  # the most that an unprivileged process may ask for; neither end waits for the other so often
# Before a line: what said it, with addresses that differ from run to run.
_CONTEXT, _ADDRESS = re.compile(r"^(?:\[[^\]]*\] ?)+"), re.compile(r" ?@ ?0x[0-9a-fA-F]+")
_SPEAKER = re.compile(r"\[([^\s\]]+) @")
# What it says of files that are sound too, and what names our own folders; and what it says of what is not sound.
_NO_REASON = re.compile(
    r"misdetection possible|Guessed Channel Layout|Estimating duration|file:|Codec \(\S+\) not on whitelist"
    r"|Failed to open codec in avformat_find_stream_info|Could not find codec parameters for stream \d+ \((?!Audio)"
    r"|Consider increasing the value for|Last message repeated|Ignoring attempt to set invalid timebase",
    re.IGNORECASE,
)
# Its demuxer that looks at nothing itself, but leaves it to the decoder's parser to find frames; that of MPEG audio is
# for layers I and II too.
_FRAMES = "ac3"
_COMMON = ("-nostdin", "-hide_banner", "-nostats")


def bundled_binary() -> str:
    """The ffmpeg that is used where FFMPEG_PATH names none: the one for sound alone, of the package spleeter-ffmpeg;
    where that is not installed imageio-ffmpeg's; without both the one on PATH.

    Raises ModuleNotFoundError where there is none of them.
    """
    with contextlib.suppress(ModuleNotFoundError):
        import spleeter_ffmpeg

        return str(spleeter_ffmpeg.program())
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        if found := shutil.which("ffmpeg"):
            return found
        raise
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a file: its bytes from `first` up to, without, `end`. continues: whether its times are those of the
    file, and not its own. front: samples before its sound that nothing in it tells of. count: of its sound, None for
    all that there are. is_frames: whether it is to be read as frames of MPEG audio alone, all of them.
    """

    first: int
    end: int
    continues: bool = False
    front: int = 0
    count: int | None = None
    is_frames: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSamples:
    """Samples that are read without their file's header. container: ffmpeg's name of the file's format. kind: of their
    own, such as s16le. mask: which channels they are, by the bits of WAVE; 0 where that is not said.
    """

    container: str
    kind: str
    rate_hz: int
    channels: int
    mask: int = 0

    @property
    def frame_bytes(self) -> int:
        """Of one sample of each channel."""
        bits = re.search(r"\d+", self.kind)
        return self.channels * (int(bits[0]) // 8 if bits else 1)  # A-law and mu-law have a byte each

    @property
    def input_args(self) -> list[str]:
        """ffmpeg's options in place of a header."""
        is_named = self.mask.bit_count() == self.channels
        layout = f"{self.mask:#x}" if is_named else f"{self.channels}C" if self.channels > 2 else None
        channels = ["-ch_layout", layout] if layout else ["-ac", str(self.channels)]
        return ["-f", self.kind, "-ar", str(self.rate_hz), *channels]


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpeg:
    """How ffmpeg is run.

    binary: its path, or a name on PATH. allowed_formats: the demuxers that may open a file. cpu_s: seconds of processor
    time that one run may use. reach: the files that it may touch; None for as many as this process itself. section: the
    part of each file that it reads, None for all of it. raw: what lies there, where the file's header isn't to be read.
    has_own_group: whether it is in another process group than ours, which a terminal's signals don't reach. group: in
    which then; 0: one of its own.
    """

    binary: str = field(default_factory=bundled_binary)
    allowed_formats: tuple[str, ...]
    cpu_s: int = 3600
    reach: Reach | None = None
    section: Section | None = None
    raw: RawSamples | None = None
    has_own_group: bool = True
    group: int = 0

    def confined_to(self, path: Path, folder: Path) -> Self:
        """The same ffmpeg, but one that can touch, beside itself, this file and this folder alone."""
        binary = Path(shutil.which(self.binary) or self.binary)
        reads = (*reach_of_programs(), binary, path)
        return replace(self, reach=Reach(reads=reads, writes=(folder,)))

    def open_args(self, path: Path, *, codec: str | None = None) -> list[str]:
        """Input options for an untrusted local file. codec: its audio's decoder, None for ffmpeg's own choice.

        Nothing but sound is decoded. The protocol list keeps playlists off the network, the format list keeps them from
        being playlists at all: a file named .mp3 may be an ffconcat script or an HLS playlist that names other files of
        this machine.
        """
        is_frames = self.section is not None and self.section.is_frames
        formats = self.raw.kind if self.raw else _FRAMES if is_frames else ",".join(self.allowed_formats)
        protocols = "file,pipe" if self.section is None else "subfile,file"
        args = ["-protocol_whitelist", protocols, "-format_whitelist", formats, "-codec_whitelist", ",".join(SOUND)]
        # Of more than two channels that a file does not name none is guessed: what is guessed wrong is lost in a mix.
        args += ["-guess_layout_max", "2", *(["-c:a", codec] if codec else [])]
        args += self.raw.input_args if self.raw else []
        args += ["-f", _FRAMES, "-c:a", "mp3float"] if is_frames else []
        url = f"file:{path}"
        if self.section is not None:
            url = f"subfile,,start,{self.section.first},end,{self.section.end},,:{url}"
        return [*args, "-i", url]

    def start(
        self,
        args: Sequence[str],
        *,
        feeds: bool = False,
        reads: bool = False,
        seeks: re.Pattern[bytes] | None = None,
        inherits: tuple[int, ...] = (),
    ) -> "FFmpegProcess":
        """Start ffmpeg; `feeds` gives it a standard input to write to, `reads` a standard output to read from.

        seeks: what is found in those lines of its standard error that are kept wherever they stand. inherits:
        descriptors of this process that it has too, under the same numbers.
        """
        program = Program(
            argv=[shutil.which(self.binary) or self.binary, *_COMMON, *args],
            inherits=inherits,
            limits={**_LIMITS, resource.RLIMIT_CPU: self.cpu_s},
            group=self.group if self.has_own_group else None,
        )
        process = run_confined(program, self.reach, feeds=feeds, reads=reads)
        _run_in_batches(process.pid, is_decoding=reads)
        return FFmpegProcess(process, self.cpu_s, seeks)


def _run_in_batches(pid: int, *, is_decoding: bool) -> None:
    """Let each of its threads do much at a time. Where a container forbids it, that is all that is lost.

    It hands each frame from thread to thread. In a batch process none interrupts another for a single frame, which
    saves a third of the kernel's share of its time, and on one core none wakes another before it has many, which saves
    a sixth of the whole. Decoding is far ahead of the networks on one core too; two encoders need two.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
        if is_decoding:
            os.sched_setaffinity(pid, {random.choice(sorted(os.sched_getaffinity(0)))})


class FFmpegProcess:
    """An ffmpeg at work. The first and the last lines of its standard error are kept, however much it writes there.

    sought_lines: all those that hold `seeks`, as they came.
    """

    def __init__(
        self, process: RunningProgram | subprocess.Popen[bytes], cpu_s: float, seeks: re.Pattern[bytes] | None = None
    ) -> None:
        self.process = process
        self.sought_lines: list[str] = []
        self._cpu_s, self._seeks = cpu_s, seeks
        # The headers come first, what went wrong comes last; lyrics of any length may lie between them.
        self._first_lines: list[str] = []
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    def _read_stderr(self) -> None:
        """Until it ends, in a thread of its own: a full pipe would stop ffmpeg."""
        assert self.process.stderr
        # In blocks: it repeats all tags of a file there, which may be many megabytes.
        with open(self.process.stderr.fileno(), "rb", closefd=False) as lines:
            while data := lines.readline(PIPE_BYTES):
                line = data[:_SOUGHT_BYTES].decode("utf-8", "replace").rstrip()
                if self._seeks and self._seeks.search(data) and len(self.sought_lines) < _SOUGHT_LINES:
                    self.sought_lines.append(line)
                line = line[:_LINE_CHARS]
                (self._first_lines if len(self._first_lines) < _FIRST_LINES else self._last_lines).append(line)

    def wait(self) -> int:
        """Exit code, once it has ended by itself. Raises WorkerCrashed if it was ended from outside."""
        if self.process.returncode is not None:  # it was waited for before, or is ended by `stop`
            self._reader.join()
            return self.process.returncode
        before_s = _children_cpu_s()
        code = self.process.wait()
        used_s = _children_cpu_s() - before_s  # which counts a child once it was waited for
        self._reader.join()
        # The kernel's answer to too much processor time, which is the file's doing, is SIGKILL too. It counts that time
        # by its clock's ticks, and so may strike well before what it tells afterwards.
        is_over_limit = code == -signal.SIGKILL and used_s > 0.5 * self._cpu_s
        is_own_failure = code == _CAUGHT and any(_MINUS_ONE in line for line in self.stderr_lines)
        if code in _ENDED_BY_OTHERS and not is_over_limit and not is_own_failure:
            how = f"by signal {-code}" if code < 0 else "by a signal"
            raise WorkerCrashed(f"ffmpeg was ended from outside {how}")
        return code

    def stop(self) -> None:
        """End it now, if it still runs, and release its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):  # closing flushes
                    pipe.close()

    @property
    def stderr_lines(self) -> list[str]:
        """What it wrote to standard error, without the middle where that is long."""
        return [*self._first_lines, *self._last_lines]


def reason_in(lines: Sequence[str]) -> str:
    """Why ffmpeg gave up, from what it wrote: its first complaint, since later ones only follow from it.

    Without what said it and without addresses: the same each time. At most 200 characters.
    """
    return complaint_in(lines) or "no reason given"


def complaint_in(lines: Sequence[str], *, besides: Collection[str] = ()) -> str | None:
    """The first thing in what ffmpeg wrote that it does not write of sound files too, told as by `reason_in`.

    besides: names of decoders whose complaints don't matter.
    """
    heard = (line for line in lines if not _NO_REASON.search(line) and _speaker(line) not in besides)
    told = (_ADDRESS.sub("", _CONTEXT.sub("", line)).strip() for line in heard)
    return next((line[:200] for line in told if line), None)


def _speaker(line: str) -> str | None:
    return match[1] if (match := _SPEAKER.match(line)) else None


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
