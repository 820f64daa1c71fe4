"""What the separator's tests have in common: jobs for a separator process, and a look at the machine's processes."""

import contextlib
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import MODELS, SOURCE_FORMATS
from consumer.core.events import SeparationRequest, SourceObject
from consumer.core.model import Job, Separation
from consumer.core.ports import OnProgress
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.client import RESTART_DELAY_S, SeparatorClient
from consumer.separator.protocol import Configure
from consumer.settings import environment_without_secrets
from harness.audio import RATE_HZ, music
from harness.files import decode_file, encode_file

FFMPEG = FFmpeg(allowed_formats=SOURCE_FORMATS)
PATIENCE_S = 120.0  # what hangs shall fail, not hang


def configuration(model_path: Path, models: tuple[str, ...] = ("2stems",)) -> Configure:
    return Configure(
        model_path=model_path,
        runtime="tensorflow",
        allowed_formats=FFMPEG.allowed_formats,
        models=models,
        scratch=Path(tempfile.gettempdir()),
    )


@dataclass(frozen=True, slots=True)
class Harness:
    """A client and the mark that its process bears on its command line."""

    client: SeparatorClient
    mark: str

    @property
    def pids(self) -> set[int]:
        return pids_with(self.mark)

    def prepare(self) -> None:
        self.client.prepare(patience())

    def separate(
        self,
        path: Path,
        *,
        cancel: Cancellation | None = None,
        on_progress: OnProgress = lambda done, total: None,
        **options: Any,
    ) -> Separation:
        """Separate a file; stems go beside it. For the options see `job`."""
        return self.client.separate(job(**options), path, cancel=cancel or patience(), on_progress=on_progress)


def make_harness(
    model_path: Path,
    *,
    models: tuple[str, ...] = ("2stems",),
    max_audio_s: float = 7200.0,
    restart_delay_s: float = RESTART_DELAY_S,
) -> Harness:
    """A client whose process is started by `prepare` or by the first job. Kill the client in the end."""
    mark = f"separator-test-{uuid.uuid4().hex}"
    client = SeparatorClient(
        configuration(model_path, models),
        max_audio_s=max_audio_s,
        environment=environment_without_secrets(),
        command=(sys.executable, "-m", "consumer.separator.process", mark),
        restart_delay_s=restart_delay_s,
    )
    return Harness(client, mark)


def patience() -> Cancellation:
    """Of someone who waits, but not for ever."""
    cancel = Cancellation()
    cancel.start_clock(PATIENCE_S)
    return cancel


def job(
    *,
    model: str = "2stems",
    format: str = "wav",
    bitrate: str | None = None,
    start_s: float | None = None,
    duration_s: float | None = None,
    high_frequencies: str = "zeros",
    track: int | None = None,
) -> Job:
    assert model in MODELS
    request = SeparationRequest(
        request_id="test",
        source=SourceObject(bucket="songs", key="song"),
        model=model,
        start_s=start_s,
        duration_s=duration_s,
        high_frequencies=high_frequencies,
        track=track,
    )
    return Job(
        request=request,
        output_bucket="stems",
        output_prefix="stems/test/",
        format=format,
        bitrate=bitrate,
        fingerprint="0" * 64,
    )


def assert_works(separator: Harness, folder: Path) -> None:
    """A good job succeeds."""
    folder.mkdir()
    stems = separator.separate(encode_file(folder / "good.wav", music(seconds=1))).stems
    assert [decode_file(stem.path).shape for stem in stems] == [(RATE_HZ, 2)] * 2


def pids_with(text: str) -> set[int]:
    """Living processes that have `text` in their command line."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended just now
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
    return found


def wait_until_none(text: str) -> None:
    """Wait until no process has `text` in its command line."""
    deadline = time.monotonic() + PATIENCE_S
    while left := pids_with(text):
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)
