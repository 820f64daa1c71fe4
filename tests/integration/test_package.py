"""The package as platform code installs it: without what separates."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
# What separates; none of it may come along with the base.
NETWORKS = {"numpy", "scipy", "tensorflow", "spleeter", "openvino", "spleeter-kernels", "imageio-ffmpeg"}

_USE = """
import importlib.util
from consumer.adapters.avro.codec import AvroCodec
from consumer.client import AsyncClient, Client
from consumer.core.events import SeparationRequest, SourceObject
request = SeparationRequest(request_id="x", source=SourceObject(bucket="b", key="k"))
assert AvroCodec().decode_request(AvroCodec().encode(request)) == request
from consumer.client.http import HttpClient
import consumer.app.wiring  # what `run` wires begins without the extras
assert not any(importlib.util.find_spec(name) for name in ("tensorflow", "spleeter", "numpy", "opentelemetry"))
"""

# A platform's program, whose types are all known: none of them is Any.
_PROGRAM = """
import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import assert_type

from consumer.client import AsyncClient, AsyncJob, Client, HttpClient, HttpJob, Job, SeparationFailed, WaitTimeout
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult, Stem


def separate(path: Path) -> list[str]:
    with Client.from_env() as client:
        job = client.separate(path, model="4stems", metadata={"album": "17"})
        assert_type(job, Job)
        assert_type(job.progress(), SeparationProgress | None)
        assert_type(job.outcome, Future[SeparationResult | DeadLetter])
        assert_type(job.download("stems"), dict[str, Path])
        try:
            result = job.result(timeout_s=600)
        except (SeparationFailed, WaitTimeout) as failed:
            return [str(failed)]
        assert_type(result.stems, tuple[Stem, ...])
        return [stem.key for stem in result.stems]


def positions() -> Mapping[int, int]:
    found: Mapping[int, int] = {}
    with Client.from_env() as client, client.results(since=found, idle_s=5) as results:
        for received in results:
            assert_type(received.event, SeparationResult)
            found = received.positions
    return found


def by_http(path: Path) -> None:
    with HttpClient.from_env() as client:
        job = client.separate(path, model="4stems", metadata={"album": "17"})
        assert_type(job, HttpJob)
        assert_type(job.progress(), SeparationProgress | None)
        assert_type(job.download("stems"), dict[str, Path])
        assert_type(job.result(timeout_s=600), SeparationResult)
        for other in client.jobs(state="failed"):
            assert_type(other, HttpJob)


async def in_asyncio() -> str:
    async with AsyncClient.from_env() as client:
        job = await client.separate("music/song.mp3")
        assert_type(job, AsyncJob)
        async for letter in client.dead_letters(idle_s=5):
            assert_type(letter.event, DeadLetter)
        return (await job.result()).request_id


asyncio.run(in_asyncio())
"""
# What is wrong with it -> what mypy calls that.
_WRONG = {
    "client.separate(7)": "arg-type",
    "client.separate('music/a.mp3').result('soon')": "arg-type",
    "client.separate('music/a.mp3').reslut()": "attr-defined",
    "client.separate('music/a.mp3', modle='4stems')": "call-arg",
}


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
    of_pyenv = {path.parts[-3]: path for path in sorted(Path.home().glob(".pyenv/versions/3.1[1234].*/bin/python3"))}
    others = {name.rpartition(".")[0]: str(path) for name, path in of_pyenv.items() if name.replace(".", "").isdigit()}
    return [sys.executable, *(path for version, path in others.items() if version in VERSIONS[1:])]


@pytest.fixture(scope="module", params=interpreters())
def python(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the base and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    run("uv", "venv", "--quiet", "--no-project", "--python", request.param, str(folder / "env"))
    python = folder / "env" / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", str(python), str(wheel))
    return python


@pytest.mark.parametrize("version", VERSIONS)
def test_every_dependency_has_a_wheel(wheel: Path, version: str) -> None:
    """The base installs from wheels alone on each version, the gateway too, and neither brings what separates along."""
    requirements = wheel.with_name(f"requirements-{version}.in")
    requirements.write_text(f"spleeter-consumer[gateway] @ {wheel.as_uri()}\n")
    resolved = run(
        "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", version,
        "--only-binary", ":all:", str(requirements),
    )  # fmt: skip
    assert "confluent-kafka==" in resolved
    assert NETWORKS & {line.partition("==")[0] for line in resolved.splitlines()} == set()


def test_client_works_without_what_separates(python: Path) -> None:
    """Platform code can encode and decode events, and the commands tell of themselves, with the base alone."""
    run(str(python), "-c", _USE)
    assert "watch" in run(str(python.with_name("spleeter-consumer")), "--help")
    installed = run("uv", "pip", "list", "--quiet", "--format", "freeze", "--python", str(python))
    names = {line.partition("==")[0] for line in installed.splitlines()}
    assert "confluent-kafka" in names
    assert NETWORKS & names == set()


def test_a_program_s_types_are_checked_against_the_installed_client(python: Path, tmp_path: Path) -> None:
    """mypy in its strict mode knows each type that the client gives, and finds what is wrong."""
    program, wrong = tmp_path / "program.py", tmp_path / "wrong.py"
    program.write_text(_PROGRAM)
    lines = ["from consumer.client import Client", "client = Client.from_env()", *_WRONG]
    wrong.write_text("\n".join(lines) + "\n")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-pretty", "--python-executable", str(python),
         "--cache-dir", str(tmp_path / "cache"), str(program), str(wrong)],
        cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=500,
    )  # fmt: skip
    found = re.findall(r"^(\w+)\.py:(\d+): error: .* \[([\w-]+)\]$", ran.stdout, re.MULTILINE)
    expected = [("wrong", str(number), kind) for number, kind in enumerate(_WRONG.values(), 3)]
    assert found == expected, ran.stdout + ran.stderr


def test_wheel_holds_schemas_and_nothing_but_the_package(wheel: Path, tmp_path: Path) -> None:
    """What is shipped is the package with its schemas: no tests, no demonstration, no weights."""
    shutil.unpack_archive(wheel, tmp_path, "zip")
    tops = {path.name for path in tmp_path.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"consumer"}
    assert (tmp_path / "consumer" / "py.typed").is_file()
    assert {path.stem for path in (tmp_path / "consumer" / "schemas").glob("*.avsc")} >= {"separation_request"}
