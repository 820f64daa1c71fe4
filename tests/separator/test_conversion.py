"""The runtimes beside TensorFlow: a checkpoint is converted once, and then no TensorFlow is needed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from consumer.core.checkpoints import checkpoint_files, weights_sha256
from consumer.core.errors import Code, Rejected
from consumer.separator.client import SeparatorClient
from consumer.separator.models import convert as convert_module
from consumer.separator.models.checkpoint import read_tensors
from consumer.separator.models.convert import load_tensors
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
from consumer.settings import environment_without_secrets
from harness.audio import error_db, music
from harness.files import decode_file, encode_file
from tests.separator.jobs import Harness, configuration

RUNTIMES = {"openvino": "openvino", "native": "spleeter_kernels"}  # and the package that each needs

# Loads 2stems and prints which modules that took.
LOAD = """
import json, sys
from pathlib import Path
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
network = make_runtime(sys.argv[2]).load(load_spec("2stems", Path(sys.argv[1])))
print(json.dumps([network.weights_sha256, *sys.modules]))
"""


@pytest.fixture
def model_path(narrow_models: Path, tmp_path: Path) -> Path:
    """A MODEL_PATH whose 2stems was never converted."""
    (tmp_path / "models" / "2stems").mkdir(parents=True)
    for path in (narrow_models / "2stems").iterdir():
        if path.suffix != ".tensors":
            shutil.copy(path, tmp_path / "models" / "2stems")
    return tmp_path / "models"


@pytest.fixture
def no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started now find no TensorFlow."""
    stub = tmp_path / "stub" / "tensorflow"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    monkeypatch.setenv("PYTHONPATH", str(stub.parent))


@pytest.fixture(scope="module")
def converted(narrow_models: Path) -> bytes:
    """The conversion that is kept of narrow_models' 2stems, made once, since that takes TensorFlow's start."""
    load(narrow_models)
    return kept(narrow_models).read_bytes()


@pytest.fixture
def conversions(converted: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that were converted, by a conversion that is already done."""
    done: list[str] = []

    def convert(name: str, folder: Path) -> bytes:
        done.append(name)
        return converted

    monkeypatch.setattr(convert_module, "_convert", convert)
    return done


def load(model_path: Path) -> dict[str, NDArray[np.float32]]:
    folder = model_path / "2stems"
    return load_tensors("2stems", folder, weights_sha256(checkpoint_files("2stems", folder)[1]))


def kept(model_path: Path) -> Path:
    return model_path / "2stems" / "model.tensors"


def assert_same(got: dict[str, NDArray[np.float32]], folder: Path) -> None:
    wanted = read_tensors("2stems", folder)
    assert got.keys() == wanted.keys()
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)


@pytest.mark.usefixtures("converted", "no_tensorflow")
def test_the_conversion_is_the_checkpoint_and_is_kept(narrow_models: Path) -> None:
    """Once converted, a model is loaded with its checkpoint's tensors, without TensorFlow."""
    assert_same(load(narrow_models), narrow_models / "2stems")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_neither_tensorflow_nor_telemetry_is_imported(runtime: str, model_path: Path) -> None:
    """Not even by the process that has a model converted; nor what reports to OpenVINO's vendor."""
    command = [sys.executable, "-c", LOAD, str(model_path), runtime]
    sha256, *modules = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=300).stdout)
    assert sha256 == weights_sha256(checkpoint_files("2stems", model_path / "2stems")[1])
    assert RUNTIMES[runtime] in modules
    assert not [name for name in modules if name.startswith(("tensorflow", "openvino_telemetry", "keras"))]
    assert kept(model_path).exists()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "of another version": lambda data: data.replace(b" 1 ", b" 0 ", 1),
    "of another checkpoint": lambda data: data[:10] + bytes([data[10] ^ 1]) + data[11:],
    "cut short": lambda data: data[: len(data) // 2],
    "cut in its first line": lambda data: data[:40],
    "empty": lambda data: b"",
    "one bit flipped": lambda data: data[:-100] + bytes([data[-100] ^ 4]) + data[-99:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_conversion_that_is_out_of_date_or_damaged_is_replaced(
    damage: Callable[[bytes], bytes], converted: bytes, conversions: list[str], model_path: Path
) -> None:
    """It is never used: the checkpoint is converted anew, and then no more."""
    kept(model_path).write_bytes(damage(converted))
    for _ in range(2):
        assert_same(load(model_path), model_path / "2stems")
        assert kept(model_path).read_bytes() == converted
        assert conversions == ["2stems"]


def test_a_checkpoint_replaced_meanwhile_is_refused(model_path: Path, conversions: list[str]) -> None:
    """A conversion of other weights than those whose digest was taken is neither used nor kept."""
    data = model_path / "2stems" / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(Rejected, match="model 2stems: its checkpoint was replaced"):
        load(model_path)
    assert not kept(model_path).exists()


def test_a_folder_that_cant_be_written_to_is_enough(
    model_path: Path, conversions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conversion is then not kept, and the model is loaded all the same; nothing is left behind."""

    def refuse(path: Path, data: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    before = sorted((model_path / "2stems").iterdir())
    assert_same(load(model_path), model_path / "2stems")
    assert_same(load(model_path), model_path / "2stems")
    assert conversions == ["2stems", "2stems"]
    assert sorted((model_path / "2stems").iterdir()) == before


def test_processes_may_convert_at_once(model_path: Path) -> None:
    """Several that share a folder all get their network, and one whole conversion is there in the end."""
    before = set((model_path / "2stems").iterdir())
    command = [sys.executable, "-c", LOAD, str(model_path), "openvino"]
    loading = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(300) for process in loading] == [0, 0]
    assert set((model_path / "2stems").iterdir()) - before == {kept(model_path)}
    assert_same(load(model_path), model_path / "2stems")


@pytest.mark.usefixtures("no_tensorflow")
def test_without_conversion_and_tensorflow_the_model_is_unavailable(model_path: Path) -> None:
    """One line says why."""
    with pytest.raises(Rejected) as refusal:
        load(model_path)
    assert refusal.value.code == Code.MODEL_UNAVAILABLE
    wanted = "model 2stems: its checkpoint can't be read, since TensorFlow is not installed"
    assert refusal.value.message == wanted


def test_a_damaged_checkpoint_is_unavailable(model_path: Path) -> None:
    """As with TensorFlow: the reason is reported, and nothing is kept."""
    data = model_path / "2stems" / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(Rejected, match=r"model 2stems: damaged or unreadable checkpoint \("):
        load(model_path)
    assert not kept(model_path).exists()


@pytest.mark.usefixtures("conversions")
def test_a_checkpoint_of_another_architecture_is_unavailable(model_path: Path) -> None:
    """Tensors that are not those of the configuration are refused by name."""
    own = model_path / "2stems" / "2stems.json"
    params = json.loads(own.read_text())
    params["model"]["params"]["conv_n_filters"][0] = 6
    own.write_text(json.dumps(params))
    with pytest.raises(Rejected, match=r"model 2stems: \S+ has shape .*another architecture"):
        make_runtime("openvino").load(load_spec("2stems", model_path))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_that_is_not_installed_is_reported(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for one without its extra is refused in one line that names it."""
    monkeypatch.delitem(sys.modules, f"consumer.separator.runtimes.{runtime}", raising=False)
    monkeypatch.setitem(sys.modules, RUNTIMES[runtime], None)
    with pytest.raises(Rejected, match=f"the runtime {runtime} is not installed") as refusal:
        make_runtime(runtime)
    assert refusal.value.code == Code.MODEL_UNAVAILABLE


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_separator_process_works_without_tensorflow(
    runtime: str,
    converted: bytes,
    narrow_models: Path,
    separator: Harness,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """With a kept conversion alone, a whole job gives the stems that the TensorFlow process gives."""
    wanted = separator.separate(encode_file(tmp_path / "one" / "song.wav", music(seconds=3)))
    request.getfixturevalue("no_tensorflow")
    orders = msgspec.structs.replace(configuration(narrow_models), runtime=runtime)
    own = Harness(SeparatorClient(orders, max_audio_s=60.0, environment=environment_without_secrets()), "")
    try:
        own.prepare()
        got = own.separate(encode_file(tmp_path / "other" / "song.wav", music(seconds=3)))
    finally:
        own.client.kill()
    assert got.weights_sha256 == wanted.weights_sha256
    for one, other in zip(got.stems, wanted.stems, strict=True):
        assert error_db(decode_file(one.path), decode_file(other.path)) < -80  # 16 bits
