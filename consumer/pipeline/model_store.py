"""Sees to it that a model's checkpoint is on disk: it is there, or it is fetched, checked and put there.

A source holds `checksum.json` (model -> sha256 of its archive) and `<model>.tar.gz`, as Spleeter's own releases do.
"""

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from consumer.core.catalog import MODELS
from consumer.core.checkpoints import (
    CONVERSION_ENDING,
    checkpoint_sha256,
    refuse_other_weights,
    unavailable,
)
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.digest import sha256_of
from consumer.core.errors import ModelSourceUnavailable, Rejected
from consumer.core.log_events import LogEvent
from consumer.core.model_digests import RELEASED_ARCHIVES
from consumer.core.ports import ModelSource
from consumer.pipeline.model_archive import BadArchive, unpack

CHECKSUMS = "checksum.json"
FORGET_FAILURE_S = 60.0
_FETCHING = ".fetching-"
_ABANDONED_S = 86400.0  # whoever fetches is done long before, or dead


Prepare = Callable[[str, Path, str], None]


class ModelStore:
    """The checkpoints under one MODEL_PATH. Thread-safe; several processes may share the folder.

    clock: tells when a source that failed is asked again.
    prepare: called once with each model's name, folder and digest, before anyone is told that it is there.
    digests: MODEL_SHA256, the digests that checkpoints must have, by their folders.
    """

    def __init__(
        self,
        model_path: Path,
        sources: Sequence[ModelSource],
        prepare: Prepare | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        self._model_path, self._sources, self._prepare = model_path, sources, prepare
        self._clock, self._wanted = clock, digests or {}
        self._digests: dict[str, str] = {}
        self._failures: dict[str, tuple[float, Rejected]] = {}
        # One a folder: who needs another model does not wait for this one's source.
        self._locks = {folder: threading.Lock() for folder in MODELS.values()}
        self._log = structlog.get_logger()

    def ensure(self, model: str) -> str:
        """The sha256 of the model's checkpoint, once it is on disk.

        Raises Rejected(MODEL_UNAVAILABLE) where no source has it, ModelSourceUnavailable where one could not be asked.
        """
        if model not in MODELS:
            raise unavailable(model, f"unknown; there are {', '.join(MODELS)}")
        with self._locks[MODELS[model]]:
            failed_at, failure = self._failures.get(model, (float("-inf"), None))
            if failure is not None and self._clock.monotonic() - failed_at < FORGET_FAILURE_S:
                raise failure
            try:
                return self._ensure(model)
            except OSError as error:  # of reading: what writing meets is told where it is done
                why = f"MODEL_PATH can't be read ({error.strerror or type(error).__name__})"
                raise ModelSourceUnavailable(unavailable(model, why).message) from error
            except Rejected as rejected:
                self._failures[model] = (self._clock.monotonic(), rejected)
                raise

    def _ensure(self, model: str) -> str:
        folder = self._model_path / MODELS[model]
        if not folder.is_dir():
            self._pull(model, folder)
        if folder.name not in self._digests:
            digest = checkpoint_sha256(model, folder)
            refuse_other_weights(model, folder.name, digest, self._wanted)
            if self._prepare:
                self._prepare(model, folder, digest)
            self._digests[folder.name] = digest
        return self._digests[folder.name]

    def _pull(self, model: str, folder: Path) -> None:
        tried, is_final = [], True
        for source in self._sources:
            try:
                checked_by = self._pull_from(source, folder)
                self._log.info(LogEvent.MODEL_FETCHED, model=model, source=source.name, checked_by=checked_by)
                return
            except (ModelSourceUnavailable, Rejected) as error:
                is_final = is_final and isinstance(error, Rejected)
                tried.append(f"{source.name}: {error}")
        refusal = unavailable(model, "not under MODEL_PATH" + ("; " if tried else "") + "; ".join(tried))
        raise refusal if is_final else ModelSourceUnavailable(refusal.message)

    def _pull_from(self, source: ModelSource, folder: Path) -> str:
        """Fetch beside the final place and move there whole, so that a folder that exists is complete.

        Returns what its digest was held against, in words.
        """
        try:
            self._model_path.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()
            with tempfile.TemporaryDirectory(
                prefix=_FETCHING, dir=self._model_path, ignore_cleanup_errors=True
            ) as work:
                return _fetch(source, folder, Path(work), self._wanted)
        except OSError as error:  # a full disk, for one
            raise ModelSourceUnavailable(f"MODEL_PATH can't be written to ({error.strerror or error})") from error

    def _remove_abandoned(self) -> None:
        """What was left behind by processes that were killed while they fetched; others may be fetching now."""
        for work in self._model_path.glob(f"{_FETCHING}*"):
            with contextlib.suppress(OSError):  # another process may be removing it
                if time.time() - work.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(work, ignore_errors=True)


def _fetch(source: ModelSource, folder: Path, work: Path, wanted: Mapping[str, str]) -> str:
    name, archive = folder.name, work / "archive.tar.gz"
    if not source.fetch(CHECKSUMS, work / CHECKSUMS) or not source.fetch(f"{name}.tar.gz", archive):
        raise unavailable(name, "not in this source")
    digest = sha256_of(archive)
    if digest != _published_checksum(work / CHECKSUMS, name):
        raise unavailable(name, "its archive does not have the published checksum")
    try:
        unpack(archive, work / "model", model=name)
    except BadArchive as error:
        raise unavailable(name, f"its archive can't be unpacked ({error})") from error
    refuse_other_weights(name, name, checkpoint_sha256(name, work / "model"), wanted)
    if name in wanted:  # that digest is the checkpoint's: it says nothing of what else is in the archive
        for conversion in (work / "model").glob(f"*{CONVERSION_ENDING}"):
            conversion.unlink()
    (work / "model" / ".probe").write_text("OK")  # so that Spleeter itself takes the folder for complete
    try:
        (work / "model").rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
    if name in wanted:
        return "MODEL_SHA256"
    # Who can replace an archive can replace the checksum that lies beside it.
    return "pinned digest" if digest == RELEASED_ARCHIVES.get(name) else f"{CHECKSUMS} beside the archive alone"


def _published_checksum(path: Path, name: str) -> str:
    try:
        checksum = json.loads(path.read_text())[name]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise unavailable(name, f"no checksum in {CHECKSUMS}") from error
    return str(checksum)
