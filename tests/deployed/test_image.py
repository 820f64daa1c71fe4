"""The image that was built from the shipped Dockerfile."""

import json
import sys
from importlib.metadata import version

import pytest
from spleeter_kernels import available

from devstack.engine import Engine
from tests.deploy.compose import ROOT
from tests.deployed.stack import ComposeStack

pytestmark = pytest.mark.deploy
CONSUMER, TOOLS = "spleeter-consumer:latest", "spleeter-consumer-tools:latest"
_SEPARATE = ("spleeter_kernels", "imageio_ffmpeg", "safetensors")
_NOT_NEEDED = ("tensorflow", "spleeter", "scipy", "pyebur128")
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
    """The kernels and ffmpeg are in one image, and the other has none of them; neither has TensorFlow."""
    assert found(engine, CONSUMER, _SEPARATE) == list(_SEPARATE)
    assert found(engine, TOOLS, _SEPARATE) == []
    assert found(engine, CONSUMER, _NOT_NEEDED) == found(engine, TOOLS, _NOT_NEEDED) == []


def test_one_more_image_has_tensorflow(engine: Engine) -> None:
    """It is the consumer's with one runtime more, which can be imported."""
    name = "spleeter-consumer-tensorflow:test"
    engine.docker(
        "build", "-f", str(ROOT / "deploy/docker/Dockerfile"), "--target", "consumer-tensorflow", "-t", name, str(ROOT)
    )
    assert found(engine, name, (*_SEPARATE, "tensorflow")) == [*_SEPARATE, "tensorflow"]
    look = "import consumer.separator.runtimes.tensorflow as t; print(t.__name__)"
    assert engine.docker(*_ALONE, "--entrypoint", "python", name, "-c", look).split()[-1].endswith("tensorflow")


def test_the_consumer_is_no_burden(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """At most 600 MB, as `docker images` counts them, of which ffmpeg has 170; they are printed."""
    [told] = json.loads(engine.docker("image", "inspect", CONSUMER))
    with capsys.disabled():
        sys.stdout.write(f"\n{CONSUMER}: {told['Size'] / 1e6:.0f} MB\n")
    assert told["Size"] < 600e6


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
