"""What reads a stranger's checkpoint, taken over: it finds no secret, no file but the model's, and nobody to call."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.core.checkpoints import checkpoint_sha256
from consumer.core.errors import Code, Rejected
from consumer.separator.models import conversion_cache
from consumer.separator.models.conversion_cache import conversion_path, conversion_prefix, convert, ensure_converted

COMMAND = Path(sys.executable).with_name("spleeter-consumer")
SECRETS = ("VAULT_TOKEN", "DATABASE_URL", "HTTPS_PROXY", "MINIO_SECRET_KEY", "MODEL_SOURCES", "KAFKA_SASL_PASSWORD")
HARMLESS = {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "TMPDIR", "HOME", "KERAS_HOME", "LC_CTYPE"}

# Stands in the place of what a checkpoint is read by: what one that takes it over would run. It tells by its last line.
INTRUDER = """
import json, os, pathlib, socket, sys
done = []
def attempt(name, call):
    try:
        call()
    except OSError:
        return
    done.append(name)
outside, port = pathlib.Path(%r), %d
attempt("read", lambda: (outside / "secret").read_text())
attempt("list", lambda: list(outside.iterdir()))
attempt("write", lambda: (outside / "planted").write_text("x"))
attempt("parent", lambda: pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes())
attempt("passwd", lambda: pathlib.Path("/etc/passwd").read_text())
attempt("weights", lambda: (pathlib.Path(%r) / "planted").write_text("x"))
attempt("replace", lambda: (pathlib.Path(%r) / "model.index").write_text("x"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port), 2))
print(json.dumps([done, sorted(os.environ)]), file=sys.stderr)
os._exit(3)
"""


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def folder(narrow_models: Path, tmp_path: Path) -> Path:
    """A 2stems that was never converted."""
    place = tmp_path / "models" / "2stems"
    place.mkdir(parents=True)
    for path in (narrow_models / "2stems").iterdir():
        if path.suffix != ".safetensors":
            (place / path.name).write_bytes(path.read_bytes())
    return place


@pytest.fixture
def intruder(tmp_path: Path, folder: Path, listener: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that processes which are started now find the intruder in; this one has secrets."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    stub = tmp_path / "stub" / "google_crc32c"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text(INTRUDER % (str(outside), listener, str(folder), str(folder)))
    monkeypatch.setenv("PYTHONPATH", str(stub.parent))
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    return stub.parent


def digest(folder: Path) -> str:
    return checkpoint_sha256("2stems", folder)


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.attack
@pytest.mark.usefixtures("intruder")
def test_what_converts_a_checkpoint_finds_no_secret_and_reaches_nothing(folder: Path, tmp_path: Path) -> None:
    """Neither a file outside, nor our environment, nor the network; and the weights stay as they are."""
    before = files(tmp_path)
    with pytest.raises(Rejected) as refusal:
        convert("2stems", folder, digest(folder))
    assert refusal.value.code == Code.MODEL_UNAVAILABLE
    done, environment = json.loads(refusal.value.message.removeprefix("model 2stems: "))
    assert done == []
    assert {name for name in environment if not name.startswith("TF_")} <= HARMLESS
    ensure_converted("2stems", folder, digest(folder))
    assert files(tmp_path) == before


@pytest.mark.attack
@pytest.mark.usefixtures("intruder")
def test_what_checks_a_model_finds_no_secret_and_reaches_nothing(folder: Path, tmp_path: Path) -> None:
    """`models check` has a separator's process load it, whatever it then is that reads it."""
    before = files(tmp_path)
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "stub"), "MODEL_PATH": str(folder.parent)}
    variables["SEPARATOR_RUNTIME"] = "tensorflow"
    secrets = {"MINIO_SECRET_KEY": "secret", "KAFKA_SASL_PASSWORD": "secret"}
    ran = subprocess.run(
        [COMMAND, "models", "check"], env=variables | secrets, capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 1, ran.stderr
    told = ran.stdout.removeprefix("2stems  model 2stems: the process that was to load it died (").rstrip(")\n")
    done, environment = json.loads(told)
    assert done == []
    assert not set(secrets) & set(environment)
    assert files(tmp_path) == before


@pytest.mark.attack
@pytest.mark.parametrize(("code", "told"), [("os.abort()", "by signal 6"), ("os._exit(7)", "with exit code 7")])
def test_a_checkpoint_that_kills_what_reads_it_is_unavailable(
    code: str, told: str, folder: Path, intruder: Path
) -> None:
    """In words, and nothing is kept of it."""
    (intruder / "google_crc32c" / "__init__.py").write_text(f"import os\n{code}\n")
    with pytest.raises(Rejected, match=rf"damaged or unreadable checkpoint \(what reads it ended {told}\)"):
        convert("2stems", folder, digest(folder))
    assert not conversion_path("2stems", folder).exists()


@pytest.mark.attack
def test_a_checkpoint_that_is_read_for_ever_is_unavailable(
    folder: Path, intruder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads it is ended after a time."""
    monkeypatch.setattr(conversion_cache, "CONVERSION_S", 1.5)
    (intruder / "google_crc32c" / "__init__.py").write_text("import threading\nthreading.Event().wait()\n")
    with pytest.raises(Rejected, match="its checkpoint was not read within"):
        convert("2stems", folder, digest(folder))


@pytest.mark.attack
def test_a_conversion_by_a_taken_over_process_is_not_believed(folder: Path, intruder: Path) -> None:
    """It may write what it likes: what is no conversion of this checkpoint is neither kept nor used."""
    begin = (1000).to_bytes(8, "little") + conversion_prefix(digest(folder)) + b'00000000"}}'
    stub = f"import os\nfor fd in (1, *range(3, 9)):\n  try: os.write(fd, {begin!r})\n"
    (intruder / "google_crc32c" / "__init__.py").write_text(stub + "  except OSError: pass\nos._exit(0)\n")
    with pytest.raises(Rejected, match=r"its checkpoint was replaced|its conversion can't be used"):
        convert("2stems", folder, digest(folder))
    ensure_converted("2stems", folder, digest(folder))
    assert not conversion_path("2stems", folder).exists()


@pytest.mark.attack
def test_other_weights_than_model_sha256_are_not_loaded(folder: Path) -> None:
    """By a separator either, whoever put them there since they were pulled."""
    variables = {"PATH": "/usr/bin:/bin", "MODEL_PATH": str(folder.parent)}
    for wanted, code in ((digest(folder), 0), ("0" * 64, 1)):
        ran = subprocess.run(
            [COMMAND, "models", "check"],
            env=variables | {"MODEL_SHA256": f"2stems={wanted}"},
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert ("which is not the one in MODEL_SHA256" in ran.stdout) == bool(code)
