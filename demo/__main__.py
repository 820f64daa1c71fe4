"""`python -m demo`: a song through the whole service, and how well it came apart."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.io.wavfile
from rich.console import Console
from rich.table import Table

from consumer.adapters.model_sources import model_sources
from consumer.cli.progress import progress_bar
from consumer.client import Client, SeparationFailed, WaitTimeout
from consumer.core.errors import ModelSourceUnavailable, Rejected
from consumer.core.events import SeparationResult
from consumer.pipeline.model_store import ModelStore
from consumer.settings import SeparatorSettings, TopicSettings
from demo.gateway import DemoGateway, gateway
from demo.servers import broker, object_store
from demo.songs import Song, make_song
from demo.songs.score import si_sdr
from devstack import system

_SEED, _DURATION_S = 2026, 30.0  # a song that nothing was trained on: training's seeds lie elsewhere
_MODEL = "2stems"
_OUT = Path("demo-out")
_SONGS, _STEMS = "songs", "stems"
_START_S = _JOB_S = 300.0
_LOOK_S = 0.5


def main() -> None:
    console = Console(stderr=True)
    model_path, about_weights = _model_path(console)
    shutil.rmtree(_OUT, ignore_errors=True)
    _OUT.mkdir()
    with broker(*_topics()) as bootstrap_servers, object_store(_SONGS, _STEMS) as (endpoint, bucket_client):
        os.environ["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap_servers
        with tempfile.TemporaryDirectory() as scratch:
            environment = _environment(endpoint, model_path, scratch)
            with _consumer(environment) as process, gateway(environment, _OUT / "gateway.log") as door:
                console.print("making a song with known true stems, while the service starts")
                song = make_song(_SEED, _DURATION_S)
                _write(_OUT / "song.wav", song, song.mix)
                bucket_client.fput_object(_SONGS, "song.wav", str(_OUT / "song.wav"))
                with console.status("starting consumer and gateway"):
                    _await_start(process)
                    door.await_ready()
                result, seconds = _separate()
                for stem in result.stems:
                    bucket_client.fget_object(stem.bucket, stem.key, str(_OUT / Path(stem.key).name))
                _report(song, result, seconds, about_weights)
                _show(door)


def _topics() -> list[str]:
    topics = TopicSettings.load()
    return [*topics.model_dump().values(), topics.retry(1)]


def _model_path(console: Console) -> tuple[Path, str]:
    """Spleeter's pretrained weights where they are, or can be fetched; else those in this repository."""
    pretrained = SeparatorSettings.load()
    console.print("looking for Spleeter's pretrained weights")
    try:
        sources = model_sources(pretrained.model_sources, None)
        ModelStore(pretrained.model_path, sources, digests=pretrained.model_sha256).ensure(_MODEL)
        return (
            pretrained.model_path.absolute(),
            "the weights under MODEL_PATH, which are Spleeter's pretrained ones unless you put others there",
        )
    except (Rejected, ModelSourceUnavailable):
        own = Path(__file__).with_name("weights")
        return own, "the small demonstration weights of this repository (Spleeter's own can't be fetched here)"


def _environment(endpoint: str, model_path: Path, scratch: str) -> dict[str, str]:
    """What consumer and gateway are told of each other's world."""
    return {
        **os.environ,
        "MINIO_ENDPOINT": endpoint,
        "MINIO_ACCESS_KEY": "demo",
        "MINIO_SECRET_KEY": "demo-secret",
        "MINIO_SECURE": "false",
        "ALLOWED_SOURCE_BUCKETS": _SONGS,
        "OUTPUT_BUCKET": _STEMS,
        "MODEL_PATH": str(model_path),
        "MODEL_SOURCES": "none",
        "SCRATCH_DIR": scratch,
        "INDEX_DIR": scratch,
        "HTTP_PORT": "0",
        "RETRY_DELAYS": "1s",
    }


@contextmanager
def _consumer(environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A real `spleeter-consumer run` that is starting; its log goes to demo-out."""
    with (_OUT / "consumer.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("spleeter-consumer")), "run"],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def _await_start(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while b'"replica.started"' not in (said := (_OUT / "consumer.log").read_bytes()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the consumer did not start:\n{said.decode()[-2000:]}")
        time.sleep(0.1)


def _separate() -> tuple[SeparationResult, float]:
    """The result of one request, and the seconds until it came."""
    with Client.from_env() as client, progress_bar("separating") as report:
        started = time.monotonic()
        job = client.separate(f"{_SONGS}/song.wav", model=_MODEL)
        while time.monotonic() < started + _JOB_S:
            try:
                return job.result(_LOOK_S), time.monotonic() - started
            except SeparationFailed as failed:
                raise SystemExit(f"the request failed: {failed}") from failed
            except WaitTimeout:
                if progress := job.progress():
                    report(progress.segments_done, progress.segments_total)
    raise SystemExit("no outcome came; see demo-out/consumer.log")


def _report(song: Song, result: SeparationResult, seconds: float, about_weights: str) -> None:
    table = Table("stem", "SI-SDR, dB", "over the mix, dB", "file")
    for stem in result.stems:
        truth = song.truth(stem.name)
        path = _OUT / Path(stem.key).name
        _, samples = scipy.io.wavfile.read(path)
        score, before = si_sdr(samples / 32768, truth), si_sdr(song.mix, truth)
        table.add_row(stem.name, f"{score:.1f}", f"{score - before:+.1f}", str(path))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(
        f"{result.source.duration_s:.0f} s of {song.title!r} in {seconds:.1f} s, from the request to its result"
        f" ({_timings(result.timings_s)}), with {about_weights}."
    )
    console.print(f"Listen to {_OUT}/song.wav and to the stems beside it; the consumer's log is {_OUT}/consumer.log.")


def _show(door: DemoGateway) -> None:
    """The same over HTTP: tried here, and by whoever sits before the terminal."""
    system.provide({"curl": "curl"})
    line = door.curl(_SONGS, "song.wav")
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"\nA page on which you can drop songs of your own: {door.page}", markup=False)
    console.print(f"The same over HTTP: the address is {door.url}, the key {door.key}.", markup=False)
    console.print(line, markup=False)
    tried = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=_JOB_S, check=False)
    told = json.loads(tried.stdout) if tried.returncode == 0 else {"state": tried.stderr.strip()}
    console.print(f"That was tried just now: state {told.get('state')!r}, id {told.get('id')!r}.", markup=False)
    if told.get("state") != "succeeded":
        raise SystemExit(f"the gateway did not answer as it should; see {_OUT}/gateway.log")
    if sys.stdin.isatty():
        console.print("It answers until you press Enter.")
        sys.stdin.readline()


def _timings(timings_s: Mapping[str, float]) -> str:
    return ", ".join(
        f"{stage} {timings_s[stage]:.2f} s" for stage in ("fetch", "separate", "store") if stage in timings_s
    )


def _write(path: Path, song: Song, samples: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> None:
    scipy.io.wavfile.write(path, song.rate_hz, np.round(samples * 32767).astype(np.int16))


if __name__ == "__main__":
    main()
