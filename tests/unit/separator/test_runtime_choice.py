"""Which runtime `auto` takes, in processes that find other packages: each sees its own folder of what is installed."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest

from consumer.core.runtimes import RuntimeChoice, SeparatorRuntime
from consumer.separator.runtimes.choice import PACKAGES

ROOT = Path(__file__).parents[3]
KERNELS = ROOT / "kernels/src/spleeter_kernels"
PATIENCE_S = 60
CHOOSE = """
import json, sys
from pathlib import Path
from consumer.core.errors import Fatal
from consumer.core.runtimes import RuntimeChoice
from consumer.separator.runtimes.choice import choose_for_replica
try:
    chosen = choose_for_replica(RuntimeChoice(sys.argv[1]), Path(sys.argv[2]))
except Fatal as fatal:
    told = ["", str(fatal)]
else:
    told = [chosen.name, chosen.reason]
print(json.dumps([*told, [name for name in ("numpy", "openvino", "tensorflow") if name in sys.modules]]))
"""


class Machine:
    """What is installed on it, and what is asked there. MODEL_PATH is empty until a configuration is put there."""

    def __init__(self, folder: Path) -> None:
        self.packages, self.models = folder / "packages", folder / "models"
        self.packages.mkdir()
        self.models.mkdir()
        for name in ("consumer", "msgspec", "spleeter"):
            self.install(name)

    def install(self, *names: str) -> None:
        """As they are installed here."""
        for name in names:
            found = find_spec(name)
            assert found
            assert found.origin
            (self.packages / name).symlink_to(Path(found.origin).parent)

    def install_kernels(self, change: Callable[[Path], object]) -> None:
        """The kernels, but for what `change` makes of their compiled layers."""
        shutil.copytree(KERNELS, self.packages / "spleeter_kernels")
        [library] = (self.packages / "spleeter_kernels").glob("_layers.so")
        change(library)

    def configure(self, **changes: object) -> None:
        """Put a configuration beside the weights of 2stems: Spleeter's own, with these changes."""
        params = json.loads((resources.files("spleeter.resources") / "2stems.json").read_text())
        filters = changes.pop("filters", None)
        if filters:
            params["model"] = {"type": "unet.unet", "params": {"conv_n_filters": filters}}
        (self.models / "2stems").mkdir()
        (self.models / "2stems" / "2stems.json").write_text(json.dumps(params | changes))

    def choose(self, wanted: str = "auto") -> tuple[str, str]:
        """The runtime and why, or "" and why none; none of them is loaded to find out."""
        done = subprocess.run(
            [sys.executable, "-S", "-c", CHOOSE, wanted, str(self.models)], env={"PYTHONPATH": str(self.packages)},
            cwd="/", capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        name, why, loaded = json.loads(done.stdout)
        assert loaded == []
        assert "\n" not in why
        return name, why


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def foreign(library: Path) -> None:
    """A library for another architecture, as its header says: ELF's e_machine, 2 bytes at 18."""
    content = bytearray(library.read_bytes())
    assert content[:4] == b"\x7fELF"
    machines = {b"\x3e\0": b"\xb7\0", b"\xb7\0": b"\x3e\0"}  # x86-64 and AArch64
    content[18:20] = machines[bytes(content[18:20])]
    library.write_bytes(content)


def build(library: Path, code: str) -> None:
    library.unlink()
    command = ["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)]
    subprocess.run(command, input=code, text=True, check=True, timeout=PATIENCE_S)


def test_all_names_are_there() -> None:
    """What may be asked for is `auto` and each runtime; each has the package that it is imported from."""
    assert set(RuntimeChoice) == {"auto", *SeparatorRuntime}
    assert set(PACKAGES) == set(SeparatorRuntime)


def test_the_fastest_of_all(machine: Machine) -> None:
    """Native, where all are installed; and no package is loaded to find out."""
    machine.install("spleeter_kernels", "openvino", "tensorflow")
    assert machine.choose() == ("native", "its kernels are installed, run on this processor and fit the models")


def test_no_kernels(machine: Machine) -> None:
    """OpenVINO, and the reason."""
    machine.install("openvino", "tensorflow")
    assert machine.choose() == ("openvino", "not native: spleeter_kernels is not installed")


def test_tensorflow_alone(machine: Machine) -> None:
    """TensorFlow, and both reasons."""
    machine.install("tensorflow")
    why = "not native: spleeter_kernels is not installed; not openvino: openvino is not installed"
    assert machine.choose() == ("tensorflow", why)


def test_nothing_at_all(machine: Machine) -> None:
    """One line that says what to install."""
    name, why = machine.choose()
    assert name == ""
    assert "nothing here can compute the networks" in why
    for package in PACKAGES.values():
        assert f"{package} is not installed" in why
    assert "install spleeter-consumer[" in why


def test_a_folder_of_that_name_is_no_package(machine: Machine) -> None:
    """What an uninstalled package has left, or a folder of one's own, is passed over."""
    for package in PACKAGES.values():
        (machine.packages / package).mkdir()
    assert machine.choose()[0] == ""
    assert "openvino is not installed" in machine.choose("openvino")[1]


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "of another architecture": (foreign, "cannot open shared object file"),
    "cut short": (lambda library: library.write_bytes(library.read_bytes()[:10_000]), "cut short"),
    "cut in its header": (lambda library: library.write_bytes(library.read_bytes()[:100]), "cut short"),
    "empty": (lambda library: library.write_bytes(b""), "file too short"),
    "no library": (lambda library: library.write_bytes(b"import numpy\n" * 100), "invalid ELF header"),
    "missing": (Path.unlink, "there are none"),
    "a library that needs another": (
        lambda library: build(library, "extern int absent(); int (*needed)() = absent;"), "undefined symbol",
    ),
    "another library": (lambda library: build(library, "int nothing;"), "undefined symbol: instruction_sets"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN)
def test_kernels_that_cant_be_loaded(machine: Machine, change: Callable[[Path], object], told: str) -> None:
    """The next is taken, with the loader's words; who names native is told the same."""
    machine.install_kernels(change)
    name, why = machine.choose("native")
    assert name == ""
    assert why.startswith("the runtime native can't be used: its compiled layers can't be loaded (")
    assert told in why
    machine.install("tensorflow")
    name, why = machine.choose()
    assert name == "tensorflow"
    assert told in why


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX2 is of this architecture")
def test_a_processor_without_avx2(machine: Machine) -> None:
    """The next is taken; who names native has it all the same, slowly."""
    machine.install_kernels(
        lambda library: build(library, 'extern "C" const char *instruction_sets() { return "any"; }')
    )
    machine.install("openvino")
    name, why = machine.choose()
    assert (name, why) == (
        "openvino",
        "not native: this processor has no AVX2, without which its kernels are slow",
    )
    assert machine.choose("native")[0] == "native"


UNFIT: dict[str, tuple[dict[str, object], str]] = {
    "frames of no power of two": ({"frame_length": 3000, "frame_step": 750}, "two and at least 128, not 3000"),
    "frames that are short": ({"frame_length": 64, "frame_step": 16, "F": 32}, "F of 128, not 512 and 32"),
    "a segment of 500 frames": ({"T": 500}, "T must be a multiple of 128 and F of 128, not 500 and 1024"),
    "1000 bins": ({"F": 1000}, "T must be a multiple of 128 and F of 128, not 512 and 1000"),
    "two layers": ({"filters": [16, 32]}, "the number of layers must be a whole number from 3 to 6, not 2"),
    "seven layers": ({"filters": [16] * 7}, "the number of layers must be a whole number from 3 to 6, not 7"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), UNFIT.values(), ids=UNFIT)
def test_a_model_that_the_kernels_dont_fit(machine: Machine, changes: dict[str, object], told: str) -> None:
    """The next is taken, with the model and what is wrong with it; who names native gets it, and loading refuses."""
    machine.install("spleeter_kernels", "openvino")
    machine.configure(**changes)
    name, why = machine.choose()
    assert name == "openvino"
    assert why.startswith("not native: its kernels can't compute the model 2stems: ")
    assert why.endswith(told)
    assert machine.choose("native") == ("native", "SEPARATOR_RUNTIME names it")


def test_a_configuration_that_cant_be_read_decides_nothing(machine: Machine) -> None:
    """It is reported by whoever loads that model."""
    machine.install("spleeter_kernels", "openvino")
    machine.configure(T="many")
    assert machine.choose()[0] == "native"


@pytest.mark.parametrize("runtime", list(SeparatorRuntime))
def test_a_runtime_that_is_named(machine: Machine, runtime: SeparatorRuntime) -> None:
    """It is taken where it is installed, whatever else is; where it is not, one line says with what it comes."""
    name, why = machine.choose(runtime)
    assert name == ""
    assert why.startswith(f"{PACKAGES[runtime]} is not installed: it comes with spleeter-consumer[")
    machine.install(*PACKAGES.values())
    assert machine.choose(runtime) == (runtime, "SEPARATOR_RUNTIME names it")
