"""The built wheels in bare environments, installed by pip: the command, and kernels that compute."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import soundfile

from harness.audio import RATE_HZ, error_db, music_samples
from harness.dist import build_kernels, check
from tests.integration.test_package import interpreters
from tests.separator.reference import KeptSeparator, Samples, write_configuration

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "demo/weights"
pytestmark = pytest.mark.timeout(900)  # builds and installs, which a busy machine is slow at

# One layer of known values: a Hann window's frames of a constant, added at half their length, sum to that constant.
_COMPUTE = """
import numpy as np
from spleeter_kernels import Layers, OverlapAdd, available
length, step = 256, 64
window = (np.hanning(length + 1)[:-1] ** 2 / 1.5).astype(np.float32)
signal = np.random.default_rng(0).normal(size=step * 40 + length)
starts = range(0, step * 41, step)
stft = np.stack([np.fft.rfft(signal[at : at + length]) for at in starts]).astype(np.complex64)
for name in available():
    samples = np.zeros(len(signal), np.float32)
    OverlapAdd(Layers(name), window, step)(stft, np.ones(stft.shape, np.float32), samples)
    within = slice(length, -length)
    assert np.abs(samples[within] - signal[within]).max() < 1e-5, name
print(np.__version__, *available())
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_kernels(tmp_path_factory.mktemp("dist"), "x86_64")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["uv", "build", "-q", "--wheel", "--out-dir", str(folder), str(ROOT)], check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(*command: str) -> str:
    ran = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def bare_python(interpreter: str, folder: Path, *packages: str) -> str:
    """An environment's Python where pip has installed these, from wheels alone."""
    run(interpreter, "-m", "venv", str(folder))
    python = str(folder / "bin/python")
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", *packages)
    return python


def test_the_kernels_wheel_is_of_any_python_and_asks_no_more_than_its_name(kernels: Path, tmp_path: Path) -> None:
    """Its layers are there under a name that tells of no Python; the same wheel as one for an older system is refused."""
    assert kernels.name.endswith("-py3-none-manylinux_2_17_x86_64.whl")
    with zipfile.ZipFile(kernels) as wheel:
        names = {Path(name).name for name in wheel.namelist()}
    assert {"_layers.so", "binding.py", "py.typed"} <= names
    with pytest.raises(ValueError, match="is not what its name says"):
        check(kernels, "manylinux_2_4_x86_64")
    with pytest.raises(ValueError, match="is not what its name says"):
        check(kernels, "manylinux_2_17_aarch64")


def test_the_kernels_compute_with_numpy_1(kernels: Path, tmp_path: Path) -> None:
    """On the Python that runs this."""
    python = bare_python(sys.executable, tmp_path / "env", str(kernels), "numpy<2")
    assert run(python, "-c", _COMPUTE).startswith("1.")


@pytest.mark.dist
@pytest.mark.parametrize("interpreter", interpreters())
def test_the_kernels_compute_on_each_python_with_numpy_2(kernels: Path, tmp_path: Path, interpreter: str) -> None:
    """One wheel for all of them."""
    python = bare_python(interpreter, tmp_path / "env", str(kernels), "numpy>=2")
    assert run(python, "-c", _COMPUTE).startswith("2.")


@pytest.mark.dist
@pytest.mark.parametrize("interpreter", interpreters())
def test_pip_installs_the_command_on_each_python(package: Path, tmp_path: Path, interpreter: str) -> None:
    """The base, which brings nothing that separates."""
    python = bare_python(interpreter, tmp_path / "env", str(package))
    assert "separate" in run(str(Path(python).with_name("spleeter-consumer")), "--help")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, music_samples(5 * RATE_HZ), RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def stems(song: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Samples]:
    """The song's, by Spleeter itself, on the demonstration's weights."""
    configuration = write_configuration(tmp_path_factory.mktemp("model") / "2stems.json", "2stems", WEIGHTS)
    kept = KeptSeparator(configuration)
    found = kept.separate(soundfile.read(song, dtype="float32")[0])
    kept.close()
    return found


def separates(spleeter_consumer: str, folder: Path, song: Path, stems: Mapping[str, Samples]) -> None:
    """By the command as it is installed, on the runtime that it chooses."""
    command = [spleeter_consumer, "separate", str(song), "-o", str(folder), "-f", "{instrument}.{codec}"]
    run("env", f"MODEL_PATH={WEIGHTS}", "SEPARATOR_RUNTIME=", *command, "-c", "wav-f32")
    for name, wanted in stems.items():
        got, rate_hz = soundfile.read(folder / f"{name}.wav", dtype="float32")
        assert rate_hz == RATE_HZ
        assert error_db(got, wanted) < -90.0


@pytest.mark.dist
@pytest.mark.parametrize("interpreter", interpreters())
def test_pip_installs_what_separates_on_each_python(
    interpreter: str, package: Path, kernels: Path, song: Path, stems: Mapping[str, Samples], tmp_path: Path
) -> None:
    """From the built wheels, with neither TensorFlow nor Spleeter; the stems are Spleeter's."""
    python = bare_python(interpreter, tmp_path / "env", str(kernels), f"{package}[separator]")
    installed = run(python, "-m", "pip", "list", "--format", "freeze")
    assert not re.search(r"^(tensorflow|spleeter|scipy)==", installed, re.MULTILINE)
    separates(str(Path(python).with_name("spleeter-consumer")), tmp_path / "stems", song, stems)


def test_uv_installs_what_separates(
    package: Path, kernels: Path, song: Path, stems: Mapping[str, Samples], tmp_path: Path
) -> None:
    """The same by uv, on the Python that runs this."""
    run("uv", "venv", "-q", "--python", sys.executable, str(tmp_path / "env"))
    python = str(tmp_path / "env/bin/python")
    run("uv", "pip", "install", "-q", "--no-config", "--python", python, str(kernels), f"{package}[separator]")
    separates(str(Path(python).with_name("spleeter-consumer")), tmp_path / "stems", song, stems)


@pytest.mark.dist
def test_a_processor_without_avx_computes(kernels: Path, tmp_path: Path) -> None:
    """By the set that every x86-64 processor has; the emulated one is of 2008."""
    python = bare_python(sys.executable, tmp_path / "env", str(kernels), "numpy>=2")
    assert run("qemu-x86_64", "-cpu", "Nehalem", python, "-c", _COMPUTE).split()[1:] == ["any"]
