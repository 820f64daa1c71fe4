"""The kernels under sanitizers of addresses and undefined behaviour: a size is computed in its memory, or refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "kernels/src/spleeter_kernels/unet.cpp"
FLAGS = ("-std=c++17", "-O1", "-g1", "-ffp-contract=fast", "-fPIC", "-shared", "-fno-omit-frame-pointer")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels, compiled with both sanitizers."""
    path = tmp_path_factory.mktemp("sanitized") / "layers.so"
    subprocess.run(["g++", *FLAGS, *SANITIZERS, str(SOURCE), "-o", str(path)], check=True, timeout=300)
    return path


def run(library: Path, what: str) -> "subprocess.CompletedProcess[str]":
    runtime = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = os.environ | {
        "LD_PRELOAD": " ".join(runtime),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.separator.sanitized_kernels", str(library), what]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.attack
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["table", "fuzz"])
def test_no_size_leads_the_kernels_out_of_their_memory(library: Path, what: str) -> None:
    """None, one, odd, no multiple of a vector; other types, orders, alignments: computed within bounds, or refused."""
    done = run(library, what)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.attack
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["too_many_bins", "no_multiple_of_a_vector"])
def test_sizes_that_are_refused_would_lead_out_of_memory(library: Path, what: str) -> None:
    """The checks are what keeps them in: without them the same call is reported, so the sanitizer sees it."""
    done = run(library, what)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr, done.stderr[-4000:]
