"""`doctor`: looks at all that a replica would need here, and says what is wrong with it."""

import resource
import shutil
import subprocess
import uuid
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

import typer

from consumer.core.errors import ConsumerError, Fatal, SettingsError

if TYPE_CHECKING:
    from consumer.settings import Settings

_FFMPEG_S = 30.0
# A replica at work has some 200: its clients' sockets, probes, pipes to separators and ffmpegs, stems on their way.
_FILES = 512

# Returns what it found, in a short phrase; raises ConsumerError or OSError with what is wrong.
Examination = Callable[["Settings"], str]


def doctor() -> None:
    """Print one line a check, OK or what is wrong, and end with 1 if anything is. No secret is printed.

    Settings that are wrong have a line a group; a check that needs one of them says so, and all others are made.
    Nothing is changed, but for a small object `.doctor` under OUTPUT_PREFIX.
    """
    settings, problems = _load_settings()
    for line in map(str, problems) if problems else ["OK"]:
        typer.echo(f"settings: {line}")
    unusable = {name for problem in problems for name in problem.variables}
    bad = int(bool(problems))
    for name, examine in _EXAMINATIONS.items():
        try:
            typer.echo(f"{name}: OK ({examine(settings)})")
        except (ConsumerError, OSError, subprocess.SubprocessError) as error:
            bad += 1
            typer.echo(f"{name}: {_finding(error, unusable)}")
    if bad:
        raise Fatal(f"{bad} of {len(_EXAMINATIONS) + 1} checks failed")


def _load_settings() -> "tuple[Settings, list[SettingsError]]":
    from consumer.adapters.factories import make_store
    from consumer.settings import LogSettings, MetricsSettings, RetentionSettings, Settings

    settings, problems = Settings.load_usable()
    try:
        make_store()
    except SettingsError as wrong_store:
        problems.append(wrong_store)
    except ConsumerError:
        pass  # the checks that use it say what it is
    others = [group.load_usable()[1] for group in (LogSettings, MetricsSettings, RetentionSettings)]
    return settings, [*problems, *filter(None, others)]


def _finding(error: Exception, unusable: Container[str]) -> str:
    """What a check says that failed; `unusable` are the variables that were reported already."""
    if isinstance(error, SettingsError) and error.variables and all(name in unusable for name in error.variables):
        return f"not checked: {', '.join(error.variables)} missing or wrong"
    return " ".join(str(error).split())


def _kafka(settings: "Settings") -> str:
    from consumer.adapters.kafka.admin import KafkaAdmin
    from consumer.adapters.kafka.inspection import inspect
    from consumer.adapters.kafka.retention import retention_differences
    from consumer.settings import RetentionSettings

    topics = settings.topics
    found = KafkaAdmin(settings.kafka).partitions()
    problems = inspect(
        settings.kafka, topics, retry_topics=settings.retry_topics, retry_delays_s=settings.service.retry_delays
    )
    wanted = [topics.requests, *settings.retry_topics, topics.results, topics.dead_letter, topics.progress]
    missing = [name for name in (*wanted, topics.control, topics.audit) if name not in found]
    if missing:
        problems.insert(0, f"there are no topics {', '.join(missing)}; `topics create` makes them")
    fewer = [name for name in settings.retry_topics if found.get(name, 0) < found.get(topics.requests, 0)]
    if fewer and not missing:
        problems.append(f"fewer partitions than {topics.requests}: {', '.join(fewer)}")
    if problems:
        raise Fatal("; ".join(problems))
    spans = RetentionSettings.load().of_topics(topics, settings.retry_topics)
    differences = retention_differences(settings.kafka, spans)
    told = [f"{topics.requests} has {found[topics.requests]} partitions"]
    return "; ".join([*told, *(f"topic {name}: {difference}" for name, difference in differences.items())])


def _registry(settings: "Settings") -> str:
    from consumer.adapters.factories import make_registry
    from consumer.core.events import SCHEMA_FILES

    registry = make_registry(settings.schema, settings.topics)
    if registry is None:
        return "none is set"
    registry.check()
    known = [name for name in SCHEMA_FILES.values() if registry.versions(name)]
    return f"{len(known)} of {len(SCHEMA_FILES)} schemas are registered"


def _sources(settings: "Settings") -> str:
    from consumer.adapters.factories import make_store
    from consumer.app.checks import check_bucket
    from consumer.pipeline.tenants import followed_tenants

    store, job = make_store(), settings.job
    for bucket in job.allowed_source_buckets:
        check_bucket(store, bucket, setting="ALLOWED_SOURCE_BUCKETS")
        store.stat(bucket, ".doctor")  # there is none, but whether we may ask is seen
    followed_tenants(job.tenants_file)  # says what is wrong with it
    return f"{', '.join(job.allowed_source_buckets)} can be read"


def _outputs(settings: "Settings") -> str:
    from consumer.adapters.factories import make_erasable_store, make_store
    from consumer.app.checks import check_bucket, check_create_only, check_erasing

    store, job = make_store(), settings.job
    erasable = make_erasable_store(store)
    settings_of = {job.output_bucket: "OUTPUT_BUCKET"}
    settings_of |= dict.fromkeys(job.allowed_output_buckets, "ALLOWED_OUTPUT_BUCKETS")
    for bucket, setting in settings_of.items():
        check_bucket(store, bucket, setting=setting)
        key, content = f"{job.output_prefix}.doctor", uuid.uuid4().hex.encode()
        store.replace(bucket, key, content, media_type="text/plain", metadata={})
        if store.read(bucket, key) != content:
            raise Fatal(f"what was written to {bucket} is not what is read there")
        check_create_only(store, bucket, job.output_prefix)
        if erasable:
            check_erasing(store, erasable, bucket, job.output_prefix)
    signed = "signed" if job.seal().is_set else "not signed: MANIFEST_KEY is unset"
    places = ", ".join(settings_of)
    return f"{places} can be read and written, and what lies there is not replaced; manifests are {signed}"


def _models(settings: "Settings") -> str:
    from importlib.util import find_spec

    from consumer.core.catalog import MODELS
    from consumer.core.checkpoints import checkpoint_files
    from consumer.core.extras import not_installed
    from consumer.separator.runtimes.choice import choose_for_replica

    separator = settings.separator
    for name in separator.models:
        checkpoint_files(name, separator.model_path / MODELS.get(name, name))
    if find_spec("numpy") is None:
        raise not_installed("numpy")
    runtime = choose_for_replica(separator.separator_runtime, separator.model_path)
    return f"{', '.join(separator.models)}, by {runtime}; `models check` loads them"


def _ffmpeg(settings: "Settings") -> str:
    from consumer.separator.audio.ffmpeg import bundled_binary

    try:
        binary = settings.separator.ffmpeg_path or bundled_binary()
    except ImportError as error:
        raise Fatal(f"none is installed ({error})") from error
    try:
        ran = subprocess.run(
            [binary, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FFMPEG_S,
            check=True,
            text=True,
        )
    except OSError as error:
        raise Fatal(f"FFMPEG_PATH: {binary} can't be run ({error.strerror})") from error
    return f"{' '.join(ran.stdout.split()[:3])}, {binary}"


def _scanner(settings: "Settings") -> str:
    from consumer.app.vendors import make_scanner

    scanner = make_scanner(settings.scanner, settings.job)
    if scanner is None:
        return "none is set"
    scanner.check()
    return "answers, and takes MAX_OBJECT_BYTES"


def _scratch(settings: "Settings") -> str:
    folder = settings.separator.scratch_dir
    try:
        probe = folder / f".doctor-{uuid.uuid4().hex}"
        probe.mkdir()
        probe.rmdir()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise Fatal(f"SCRATCH_DIR: can't be written to ({error.strerror})") from error
    # Two tracks are fetched while one is separated and two are stored; stems are larger than what they are made of.
    needed = 3 * settings.job.max_object_bytes
    if free < needed:
        raise Fatal(f"SCRATCH_DIR: {free >> 20} MiB are free, less than three times MAX_OBJECT_BYTES")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _FILES:
        raise Fatal(f"ulimit -n is {files} here: a replica needs {_FILES} file descriptors")
    return f"{free >> 20} MiB are free"


def _sandbox(settings: "Settings") -> str:
    from concurrent.futures import ThreadPoolExecutor

    from consumer.separator.confinement import confine_thread
    from consumer.separator.sandbox import Reach
    from consumer.separator.walls import require_walls

    with ThreadPoolExecutor(1) as thread:  # which is lost with it
        holds = thread.submit(confine_thread, Reach(reads=(settings.separator.model_path,), writes=())).result()
    if settings.separator.sandbox_required:
        require_walls(holds)
    return holds


_EXAMINATIONS: dict[str, Examination] = {
    "kafka": _kafka,
    "schema registry": _registry,
    "source buckets": _sources,
    "output buckets": _outputs,
    "models": _models,
    "ffmpeg": _ffmpeg,
    "scanner": _scanner,
    "scratch space": _scratch,
    "sandbox": _sandbox,
}
