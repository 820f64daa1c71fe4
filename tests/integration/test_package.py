"""The package as platform code installs it: without what separates."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")

_USE = """
import importlib.util
from consumer.adapters.avro.codec import AvroCodec
from consumer.client import Client
from consumer.core.events import SeparationRequest, SourceObject
request = SeparationRequest(request_id="x", source=SourceObject(bucket="b", key="k"))
assert AvroCodec().decode_request(AvroCodec().encode(request)) == request
import consumer.app.wiring  # what `run` wires begins without the extras
assert not any(importlib.util.find_spec(name) for name in ("tensorflow", "spleeter", "numpy", "opentelemetry"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    [wheel] = folder.glob("*.whl")
    return wheel


def run(*command: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    ran = subprocess.run(
        command,
        env=clean | environment,
        cwd="/",
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def interpreters() -> list[str]:
    """Those of VERSIONS that this machine has, pyenv's among them; 3.11 is the one that runs this."""
    of_pyenv = sorted(Path.home().glob(".pyenv/versions/3.1[123].*/bin/python3"))
    others = [str(path) for path in of_pyenv if not path.parts[-3].startswith("3.11")]
    return [sys.executable, *others]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_dependency_has_a_wheel(wheel: Path, version: str) -> None:
    """The base installs from wheels alone on each version, and brings no TensorFlow along."""
    requirements = wheel.with_name(f"requirements-{version}.in")
    requirements.write_text(f"spleeter-consumer @ {wheel.as_uri()}\n")
    resolved = run(
        "uv", "pip", "compile", "--quiet", "--no-header", "--python-version", version,
        "--only-binary", ":all:", str(requirements),
    )  # fmt: skip
    assert "confluent-kafka==" in resolved
    assert "tensorflow" not in resolved


@pytest.mark.parametrize("interpreter", interpreters())
def test_client_works_without_what_separates(wheel: Path, tmp_path: Path, interpreter: str) -> None:
    """Platform code can encode and decode events, and the commands tell of themselves, with the base alone."""
    run("uv", "venv", "--quiet", "--no-project", "--python", interpreter, str(tmp_path / "env"))
    python = tmp_path / "env" / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", str(python), str(wheel))
    run(str(python), "-c", _USE)
    assert "watch" in run(str(python.with_name("spleeter-consumer")), "--help")


def test_wheel_holds_schemas_and_nothing_but_the_package(wheel: Path, tmp_path: Path) -> None:
    """What is shipped is the package with its schemas: no tests, no demonstration, no weights."""
    shutil.unpack_archive(wheel, tmp_path, "zip")
    tops = {path.name for path in tmp_path.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"consumer"}
    assert {path.stem for path in (tmp_path / "consumer" / "schemas").glob("*.avsc")} >= {"separation_request"}
