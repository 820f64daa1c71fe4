"""The runtimes beside TensorFlow: they need none of it, and native maps what a checkpoint was converted to once."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from consumer.core.checkpoints import checkpoint_sha256
from consumer.core.errors import Code, Rejected
from consumer.separator.client import SeparatorClient
from consumer.separator.models import conversion_cache
from consumer.separator.models.bundle import Bundle
from consumer.separator.models.checkpoint import load_checkpoint
from consumer.separator.models.conversion import OutOfDate, map_conversion
from consumer.separator.models.conversion_cache import convert, ensure_converted, is_conversion
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes import native
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
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path / "models" / "2stems")
    return tmp_path / "models"


@pytest.fixture
def no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started now find neither TensorFlow nor Spleeter."""
    for name in ("tensorflow", "spleeter"):
        stub = tmp_path / "stub" / name
        stub.mkdir(parents=True)
        (stub / "__init__.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stub"))


@pytest.fixture(scope="module")
def converted(narrow_models: Path) -> bytes:
    """The conversion of narrow_models' 2stems, made once by the process that makes them."""
    folder = narrow_models / "2stems"
    return convert("2stems", folder, digest(narrow_models)).read_bytes()


@pytest.fixture
def conversions(converted: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that were converted, by a conversion that is already done."""
    done: list[str] = []

    def convert_into(out: BinaryIO, name: str, folder: Path) -> None:
        done.append(name)
        out.write(converted)

    monkeypatch.setattr(conversion_cache, "convert_into", convert_into)
    return done


def digest(model_path: Path) -> str:
    return checkpoint_sha256("2stems", model_path / "2stems")


def kept(model_path: Path) -> Path:
    return model_path / "2stems" / "model.native.safetensors"


def mapped(model_path: Path, name: str = "2stems") -> dict[str, NDArray[np.float32]]:
    spec = load_spec(name, model_path)
    return map_conversion(kept(model_path), digest(model_path), native.architecture(spec))


def packed(model_path: Path) -> dict[str, NDArray[np.float32]]:
    spec = load_spec("2stems", model_path)
    return native.packed(spec, load_checkpoint(spec)[1])


def assert_same(got: dict[str, NDArray[np.float32]], wanted: dict[str, NDArray[np.float32]]) -> None:
    assert got.keys() == wanted.keys()
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)


def masks(model_path: Path) -> NDArray[np.float32]:
    network = make_runtime("native").load(load_spec("2stems", model_path))
    magnitudes = np.abs(np.random.default_rng(7).normal(size=(2, 512, 1024))).astype(np.float32)
    return network.masks(magnitudes)


@pytest.mark.usefixtures("no_tensorflow")
def test_the_conversion_is_the_checkpoint_as_the_kernels_want_it(model_path: Path) -> None:
    """To the bit, as the format's own library reads it too; of both bands, and the masks are the same."""
    unconverted = masks(model_path)
    assert convert("2stems", model_path / "2stems", digest(model_path)) == kept(model_path)
    wanted = packed(model_path)
    for got in (mapped(model_path), mapped(model_path, "2stems-16kHz"), load_file(kept(model_path))):
        assert_same(got, wanted)
    assert np.array_equal(masks(model_path), unconverted)


def test_a_conversion_is_mapped_and_can_not_be_written_to(model_path: Path, conversions: list[str]) -> None:
    """Its pages are its file's, so that processes share them; each array begins where a vector may."""
    convert("2stems", model_path / "2stems", digest(model_path))
    arrays = mapped(model_path)
    maps = Path("/proc/self/maps").read_text()
    assert maps.count(str(kept(model_path))) == 1
    for array in arrays.values():
        assert not array.flags.writeable
        assert array.nbytes % 64 or array.ctypes.data % 64 == 0


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_neither_tensorflow_nor_telemetry_is_imported(runtime: str, model_path: Path) -> None:
    """Nor what reports to OpenVINO's vendor."""
    command = [sys.executable, "-c", LOAD, str(model_path), runtime]
    sha256, *modules = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=300).stdout)
    assert sha256 == checkpoint_sha256("2stems", model_path / "2stems")
    assert RUNTIMES[runtime] in modules
    assert not [name for name in modules if name.startswith(("tensorflow", "openvino_telemetry", "keras", "spleeter."))]
    assert "spleeter" not in modules


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "of another version": lambda data: data.replace(b"spleeter-consumer 1", b"spleeter-consumer 0", 1),
    "of another checkpoint": lambda data: data.replace(b'"checkpoint":"', b'"checkpoint":"0', 1)[:-1],
    "for other kernels": lambda data: data.replace(b'"layout":"spleeter_kernels', b'"layout":"spleeter_kernelz', 1),
    "cut short": lambda data: data[: len(data) // 2],
    "cut short by a byte": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "cut in its header": lambda data: data[:40],
    "of its length alone": lambda data: data[:8],
    "with a header of all memory": lambda data: b"\xff" * 8 + data[8:],
    "empty": lambda data: b"",
    "one bit flipped": lambda data: data[:-100] + bytes([data[-100] ^ 4]) + data[-99:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_conversion_that_is_out_of_date_or_damaged_is_replaced(
    damage: Callable[[bytes], bytes], converted: bytes, conversions: list[str], model_path: Path
) -> None:
    """It is never used: the checkpoint is converted anew, and then no more."""
    kept(model_path).write_bytes(damage(converted))
    with pytest.raises(OutOfDate):
        mapped(model_path)
    for _ in range(2):
        ensure_converted("2stems", model_path / "2stems", digest(model_path))
        assert kept(model_path).read_bytes() == converted
        assert conversions == ["2stems"]
    assert_same(mapped(model_path), packed(model_path))


@pytest.mark.attack
def test_each_byte_of_a_conversion_counts(converted: bytes, model_path: Path) -> None:
    """All of its header, and of its arrays those that chance has."""
    rng = random.Random(1)
    begin = 8 + int.from_bytes(converted[:8], "little")
    kept(model_path).write_bytes(converted)
    with kept(model_path).open("r+b") as file:
        for at in (*range(begin), *(rng.randrange(begin, len(converted)) for _ in range(50))):
            file.seek(at)
            file.write(bytes([converted[at] ^ rng.randrange(1, 256)]))
            file.flush()
            assert not is_conversion(kept(model_path), digest(model_path))
            with pytest.raises(OutOfDate):
                mapped(model_path)
            file.seek(at)
            file.write(converted[at : at + 1])
    assert_same(mapped(model_path), packed(model_path))


@pytest.mark.parametrize("damage", [b"", b"\0" * 5000])
def test_without_a_conversion_that_can_be_used_the_checkpoint_is(
    damage: bytes, model_path: Path, conversions: list[str]
) -> None:
    """A separator, which may write nothing, loads all the same."""
    wanted = masks(model_path)
    kept(model_path).write_bytes(damage)
    assert np.array_equal(masks(model_path), wanted)
    assert kept(model_path).read_bytes() == damage
    assert conversions == []


def test_what_is_mapped_outlives_its_replacement(converted: bytes, conversions: list[str], model_path: Path) -> None:
    """Another process may convert anew while this one computes: a file is never written into."""
    convert("2stems", model_path / "2stems", digest(model_path))
    arrays = mapped(model_path)
    wanted = {name: array.copy() for name, array in arrays.items()}
    other = kept(model_path).with_suffix(".other")
    other.write_bytes(b"other")
    other.replace(kept(model_path))
    ensure_converted("2stems", model_path / "2stems", digest(model_path))
    assert conversions == ["2stems", "2stems"]
    assert_same(arrays, wanted)


def test_a_checkpoint_replaced_meanwhile_is_refused(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights than those whose digest was taken are neither used nor kept."""
    data = model_path / "2stems" / "model.data-00000-of-00001"
    read = Bundle.read

    def replace_and_read(bundle: Bundle, name: str) -> NDArray[np.float32]:
        other = data.with_suffix(".other")
        other.write_bytes(data.read_bytes())
        other.replace(data)
        return read(bundle, name)

    monkeypatch.setattr(Bundle, "read", replace_and_read)
    for runtime in RUNTIMES:
        with pytest.raises(Rejected, match="model 2stems: its checkpoint was replaced"):
            make_runtime(runtime).load(load_spec("2stems", model_path))
    assert not kept(model_path).exists()


def test_a_conversion_of_other_weights_is_not_kept(model_path: Path, conversions: list[str]) -> None:
    """Where the checkpoint was replaced after its digest was taken."""
    data = model_path / "2stems" / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(Rejected, match="model 2stems: its checkpoint was replaced"):
        convert("2stems", model_path / "2stems", digest(model_path))
    assert conversions == ["2stems"]
    assert not kept(model_path).exists()


def test_a_folder_that_cant_be_written_to_is_enough(
    model_path: Path, conversions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conversion is then not kept, and the model is loaded all the same; nothing is left behind."""

    def refuse(path: Path, other: Path) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    before = sorted((model_path / "2stems").iterdir())
    ensure_converted("2stems", model_path / "2stems", digest(model_path))
    assert masks(model_path).shape == (2, 2, 512, 1024)
    assert sorted((model_path / "2stems").iterdir()) == before


def test_processes_may_convert_at_once(model_path: Path) -> None:
    """Several that share a folder all get a whole conversion, and one is there in the end."""
    before, folder, sha256 = set((model_path / "2stems").iterdir()), model_path / "2stems", digest(model_path)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda _: convert("2stems", folder, sha256), range(2)))
    assert done == [kept(model_path)] * 2
    assert set(folder.iterdir()) - before == {kept(model_path)}
    assert_same(mapped(model_path), packed(model_path))


def test_a_damaged_checkpoint_is_unavailable(model_path: Path) -> None:
    """On each runtime: the reason is reported, and nothing is kept."""
    data = model_path / "2stems" / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    loads: list[Callable[[], object]] = [
        lambda: convert("2stems", model_path / "2stems", digest(model_path)),
        *(lambda name=name: make_runtime(name).load(load_spec("2stems", model_path)) for name in RUNTIMES),
    ]
    for load in loads:
        with pytest.raises(Rejected, match=r"model 2stems: damaged or unreadable checkpoint \(") as refusal:
            load()
        assert refusal.value.code == Code.MODEL_UNAVAILABLE
    assert not kept(model_path).exists()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_checkpoint_of_another_architecture_is_unavailable(
    runtime: str, model_path: Path, conversions: list[str]
) -> None:
    """Tensors that are not those of the configuration are refused by name, whatever was converted of them."""
    convert("2stems", model_path / "2stems", digest(model_path))
    own = model_path / "2stems" / "2stems.json"
    params = json.loads(own.read_text())
    params["model"]["params"]["conv_n_filters"][0] = 6
    own.write_text(json.dumps(params))
    with pytest.raises(Rejected, match=r"model 2stems: \S+ has shape .*another architecture"):
        make_runtime(runtime).load(load_spec("2stems", model_path))


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
    """Nor Spleeter: a whole job gives the stems that the TensorFlow process gives."""
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
