"""`models`: by the installed command, on a folder of checkpoints and a release on this machine."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harness.fakes import serve

COMMAND = Path(sys.executable).with_name("spleeter-consumer")
NARROW = (2, 4, 4, 8, 8, 16)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a narrow 2stems."""
    from harness.checkpoints import write_checkpoint  # loads TensorFlow

    folder = tmp_path_factory.mktemp("models")
    write_checkpoint(folder, 2, seed=1, filters=NARROW)
    return folder


def models(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, "models", *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def digest(folder: Path) -> str:
    parts = [*folder.glob("*.index"), *sorted(folder.glob("*.data-*"))]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def archive(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return out.getvalue()


def test_a_missing_model_is_fetched_listed_and_checked(checkpoint: Path, tmp_path: Path) -> None:
    """From its release, by its checksum; then it is listed with its digest, and loads."""
    packed, wanted = archive(checkpoint / "2stems"), digest(checkpoint / "2stems")
    sums = json.dumps({"2stems": hashlib.sha256(packed).hexdigest()}).encode()
    with serve({"/checksum.json": (200, sums), "/2stems.tar.gz": (200, packed)}) as (url, _):
        environment = {"MODEL_PATH": str(tmp_path / "models"), "MODEL_SOURCES": url}
        assert models("list", **environment).stdout == "2stems  not there\n4stems  not there\n5stems  not there\n"
        pulled = models("pull", **environment)
        assert (pulled.returncode, pulled.stdout, pulled.stderr) == (0, f"2stems  {wanted}\n", "")
        assert models("list", **environment).stdout.splitlines()[0] == f"2stems  {wanted}"
        missing = models("pull", "2stems", "4stems", **environment)
        assert (missing.returncode, missing.stdout) == (1, f"2stems  {wanted}\n")
        assert missing.stderr.startswith("spleeter-consumer: MODEL_UNAVAILABLE: model 4stems: not under MODEL_PATH")
    checked = models("check", **environment)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == f"2stems  ok  {wanted}  vocals, accompaniment\n"


def test_a_model_that_can_not_be_used_is_found_out(checkpoint: Path, tmp_path: Path) -> None:
    """A damaged one, one of another architecture and one that is not there: each is told of, and the exit code is 1."""
    for name in ("2stems", "4stems"):
        (tmp_path / name).mkdir()
        for path in (checkpoint / "2stems").iterdir():
            if path.suffix != ".json":
                (tmp_path / name / path.name).write_bytes(path.read_bytes())
    own = json.loads((checkpoint / "2stems" / "2stems.json").read_text())
    (tmp_path / "2stems" / "2stems.json").write_text(json.dumps(own))
    [data] = (tmp_path / "2stems").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])
    done = models("check", "2stems", "4stems", "5stems", MODEL_PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "spleeter-consumer: 3 of 3 models can't be used"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2stems  model 2stems: damaged or unreadable checkpoint")
    assert "another architecture" in lines[1]
    assert lines[2] == "5stems  model 5stems: no checkpoint in 5stems/ under MODEL_PATH"


def test_a_model_is_converted_and_pulled_with_its_conversion(checkpoint: Path, tmp_path: Path) -> None:
    """Once, beside its checkpoint; an archive may hold it, and one that is not the checkpoint's is left out."""
    made = tmp_path / "made"
    shutil.copytree(checkpoint / "2stems", made / "2stems")
    stats = []
    for _ in range(2):
        done = models("convert", "2stems", "4stems", MODEL_PATH=str(made))
        assert (done.returncode, done.stdout.splitlines()[0][:34]) == (1, "2stems  model.native.safetensors  ")
        assert done.stdout.splitlines()[1] == "4stems  model 4stems: no checkpoint in 4stems/ under MODEL_PATH"
        assert done.stderr.splitlines()[-1] == "spleeter-consumer: 1 of 2 models can't be converted"
        conversion = made / "2stems" / "model.native.safetensors"
        stats.append((conversion.stat().st_ino, conversion.stat().st_mtime_ns))
    assert stats[0] == stats[1]
    whole = conversion.read_bytes()
    other = whole[:-1] + bytes([whole[-1] ^ 1])
    # What MODEL_SHA256 names is the checkpoint: it says nothing of a conversion.
    for content, arrives, pinned in ((whole, True, False), (other, False, False), (whole, False, True)):
        conversion.write_bytes(content)
        packed = archive(made / "2stems")
        sums = json.dumps({"2stems": hashlib.sha256(packed).hexdigest()}).encode()
        place = tmp_path / hashlib.sha256(packed + bytes(pinned)).hexdigest()
        pin = {"MODEL_SHA256": f"2stems={digest(checkpoint / '2stems')}"} if pinned else {}
        with serve({"/checksum.json": (200, sums), "/2stems.tar.gz": (200, packed)}) as (url, _):
            pulled = models("pull", MODEL_PATH=str(place), MODEL_SOURCES=url, **pin)
        assert pulled.returncode == 0, pulled.stderr
        found = place / "2stems" / conversion.name
        assert found.exists() == arrives
        assert not arrives or found.read_bytes() == whole
        assert (place / "2stems" / "model.index").exists()
