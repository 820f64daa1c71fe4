"""The image that was built from the shipped Dockerfile."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from spleeter_kernels import available

from devstack.engine import Engine
from harness.checkpoints import write_checkpoint
from small_ffmpeg.sources import FFMPEG, LIBRARIES
from tests.deploy.compose import ROOT
from tests.deployed.stack import ComposeStack

pytestmark = pytest.mark.deploy
CONSUMER, TOOLS = "spleeter-consumer:latest", "spleeter-consumer-tools:latest"
_SEPARATE = ("google_crc32c", "spleeter_kernels", "safetensors")
_NOT_NEEDED = (
    "tensorflow",
    "spleeter",
    "scipy",
    "pyebur128",
    "imageio_ffmpeg",
    "pip",
    "authlib",
    "pygments",
    "markdown_it",
)
_NO_PROGRAMS = ("apt", "bash", "login", "mount", "openssl", "passwd", "perl")
_STANDARD = "bz2, ctypes, curses, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib, zoneinfo"
_FFMPEG = "/opt/ffmpeg"
_SERVE = ("fastapi", "jwt", "multipart")
_ALONE = ("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp")


@pytest.fixture(autouse=True)
def _built(stack: ComposeStack) -> None:
    """Both are, once the stack is up."""


@pytest.mark.parametrize("image", [CONSUMER, TOOLS])
def test_it_tells_its_version(engine: Engine, image: str) -> None:
    """Started with a root file system that is read-only and without any capability, the command answers."""
    assert engine.docker(*_ALONE, image, "--version").strip() == version("spleeter-consumer")


@pytest.mark.parametrize("image", [CONSUMER, TOOLS])
def test_it_is_nobody_s(engine: Engine, image: str) -> None:
    """Its user has a number (so that Kubernetes can tell that it is not root), owns nothing, and has no models."""
    [told] = json.loads(engine.docker("image", "inspect", image))
    assert told["Config"]["User"] == "10001:10001"
    assert told["Config"]["Labels"]["org.opencontainers.image.title"] == image.partition(":")[0]
    found = engine.docker(
        *_ALONE, "--entrypoint", "sh", image, "-c", "find / -xdev -user 10001 -not -path '/proc/*'; ls /models"
    )
    assert sorted(found.split()) == ["/models", "/scratch"]


def test_only_the_consumer_has_what_separates(engine: Engine) -> None:
    """The kernels are in one image, and the other has none of them; neither has TensorFlow."""
    assert found(engine, CONSUMER, _SEPARATE) == list(_SEPARATE)
    assert found(engine, TOOLS, _SEPARATE) == []
    assert found(engine, CONSUMER, _NOT_NEEDED) == found(engine, TOOLS, _NOT_NEEDED) == []


@pytest.fixture(scope="module")
def with_tensorflow(engine: Engine) -> str:
    """The name of one more image, which Compose does not build."""
    name = "spleeter-consumer-tensorflow:test"
    engine.docker(
        "build", "--network", "host", "-f", str(ROOT / "deploy/docker/Dockerfile"), "--target", "consumer-tensorflow",
        "-t", name, str(ROOT)
    )  # fmt: skip
    return name


def test_one_more_image_has_tensorflow(engine: Engine, with_tensorflow: str) -> None:
    """It is the consumer's with one runtime more, which can be imported."""
    assert found(engine, with_tensorflow, (*_SEPARATE, "tensorflow")) == [*_SEPARATE, "tensorflow"]
    assert found(engine, with_tensorflow, ("imageio_ffmpeg",)) == []
    look = "import consumer.separator.runtimes.tensorflow as t; print(t.__name__)"
    told = engine.docker(*_ALONE, "--entrypoint", "python", with_tensorflow, "-c", look)
    assert told.split()[-1].endswith("tensorflow")


def test_both_are_configured_alike(engine: Engine, with_tensorflow: str) -> None:
    """But for Debian and Python, and what an image is called."""
    configured = []
    for name in (CONSUMER, with_tensorflow):
        [told] = json.loads(engine.docker("image", "inspect", name))
        kept = {key: told["Config"][key] for key in ("User", "WorkingDir", "Entrypoint", "Cmd", "ExposedPorts")}
        environment = dict(line.split("=", 1) for line in told["Config"]["Env"])
        ours = ("PYTHON", "HTTP_", "MODEL_", "SCRATCH_", "FFMPEG_", "SANDBOX_")
        environment = {key: value for key, value in environment.items() if key.startswith(ours)}
        environment.pop("PYTHON_VERSION", None)  # of Python's own image
        licences = told["Config"]["Labels"]["org.opencontainers.image.licenses"]
        configured.append((kept, environment, told["Config"]["Healthcheck"], licences))
    assert configured[0] == configured[1]
    assert configured[0][1]["SANDBOX_REQUIRED"] == "true"


@pytest.mark.parametrize("target", ["consumer", "consumer-tensorflow"])
def test_its_ffmpeg_is_our_own(engine: Engine, target: str, request: pytest.FixtureRequest) -> None:
    """The one for sound alone, under the LGPL: the separator takes it; licences, sources and recipe are beside it."""
    image = CONSUMER if target == "consumer" else request.getfixturevalue("with_tensorflow")
    look = "from consumer.settings import SeparatorSettings as S; print(S.load().ffmpeg_path)"
    told = engine.docker(*_ALONE, "--entrypoint", "python", image, "-c", look).strip()
    assert told == f"{_FFMPEG}/ffmpeg"
    licence = engine.docker(*_ALONE, "--entrypoint", told, image, "-hide_banner", "-L")
    assert "GNU Lesser General Public" in licence
    listed = engine.docker(*_ALONE, "--entrypoint", "sh", image, "-c", f"ls {_FFMPEG} {_FFMPEG}/licenses").split()
    assert {"SOURCES.md", "recipe", "made.json"} <= set(listed)
    assert {source.package for source in (FFMPEG, *LIBRARIES)} <= set(listed)
    assert engine.docker(*_ALONE, "--entrypoint", "sh", image, "-c", f"ls {_FFMPEG}/licenses/*").count("COPYING") >= 5


def test_the_consumer_is_no_burden(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """At most 230 MB, as `docker images` counts them; they are printed."""
    [told] = json.loads(engine.docker("image", "inspect", CONSUMER))
    with capsys.disabled():
        sys.stdout.write(f"\n{CONSUMER}: {told['Size'] / 1e6:.0f} MB\n")
    assert told["Size"] <= 230e6


@pytest.mark.parametrize("image", [CONSUMER, TOOLS])
def test_what_was_taken_out_is_not_missed(engine: Engine, image: str) -> None:
    """Programs and libraries that are left find those that they need, dpkg lists what is there and nothing besides, and
    no program gives its user more rights.
    """
    look = Path(__file__).with_name("left.py").read_text()
    told = json.loads(engine.docker(*_ALONE, "--entrypoint", "python", image, "-c", look, *_NO_PROGRAMS))
    assert told == {"looked": True, "unfound": [], "half_removed": [], "there": [], "privileged": []}
    assert engine.docker(*_ALONE, "--entrypoint", "python", image, "-c", f"import {_STANDARD}; print(1)").strip() == "1"
    authorities = (
        "import ssl; there = ssl.create_default_context(cafile='/etc/ssl/certs/ca-certificates.crt');"
        "print(there.cert_store_stats()['x509_ca'])"
    )
    assert int(engine.docker(*_ALONE, "--entrypoint", "python", image, "-c", authorities)) > 100


@pytest.mark.parametrize("image", [CONSUMER, TOOLS])
def test_commands_explain_themselves(engine: Engine, image: str) -> None:
    """Also those in groups, without what others set Markdown and colours with."""
    for command in ((), ("dlq",), ("separate",)):
        assert "Usage: spleeter-consumer" in engine.docker(*_ALONE, image, *command, "--help")


@pytest.mark.parametrize("stems", [2, 4])
def test_it_is_soon_ready(engine: Engine, stems: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A separator in it loads networks of full size, converted before, in its sandbox; how long it takes is printed."""
    write_checkpoint(tmp_path, stems, seed=stems)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o644)  # its user is another one
    look = Path(__file__).with_name("start.py").read_text()
    mounted = ("--volume", f"{tmp_path}:/models")
    told = engine.docker(*_ALONE, *mounted, "--entrypoint", "python", CONSUMER, "-c", look, f"{stems}stems")
    with capsys.disabled():
        sys.stdout.write(f"\n{CONSUMER}: a separator of {stems} stems is ready after {float(told):.2f} s\n")


def test_tools_have_the_gateway(engine: Engine) -> None:
    """What serves by HTTP is in them, and without a setting it ends with the line that says which."""
    assert found(engine, TOOLS, _SERVE) == list(_SERVE)
    with pytest.raises(SystemExit, match="KAFKA_BOOTSTRAP_SERVERS must be set"):
        engine.docker(*_ALONE, TOOLS, "api")


def test_its_kernels_are_compiled(engine: Engine) -> None:
    """They load, for what this processor has, without a compiler in the image."""
    look = "import shutil; from spleeter_kernels import Layers; print(Layers().instruction_set, shutil.which('g++'))"
    told = engine.docker(*_ALONE, "--entrypoint", "python", CONSUMER, "-c", look).split()
    assert told == [available()[-1], "None"]


def test_traces_can_be_recorded(engine: Engine) -> None:
    """The consumer brings what OpenTelemetry's variables switch on, by either protocol."""
    look = (
        "from consumer.app.tracing import make_tracer; from consumer.settings import TracingSettings;"
        "print(type(make_tracer(TracingSettings.load(), group_id='g', instance_id='i')).__name__)"
    )
    for protocol in ("http/protobuf", "grpc"):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        told = engine.docker(*_ALONE, *given, "--entrypoint", "python", CONSUMER, "-c", look)
        assert told.strip() == "OtelTracer"


def test_what_is_missing_is_said_in_one_line(engine: Engine) -> None:
    """Without a setting the container ends at once, and says which."""
    with pytest.raises(SystemExit, match="KAFKA_BOOTSTRAP_SERVERS must be set"):
        engine.docker(*_ALONE, CONSUMER)


def found(engine: Engine, image: str, modules: tuple[str, ...]) -> list[str]:
    """Those of these modules that the image has."""
    look = f"import importlib.util as u; print(*(name for name in {modules} if u.find_spec(name)))"
    return engine.docker(*_ALONE, "--entrypoint", "python", image, "-c", look).split()
