"""Kernels of another architecture, called through an emulator of its processor."""

import ctypes
import struct
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from spleeter_kernels import Layers, binding

DRIVER = Path(__file__).with_name("driver.cpp")
SYSTEM = "/usr/aarch64-linux-gnu"  # where the cross compiler has its C library


class Emulator:
    """One library in one emulated process. To be closed."""

    def __init__(self, library: Path, scratch: Path) -> None:
        driver = scratch / "driver"
        compile_driver = ["aarch64-linux-gnu-g++", "-std=c++17", "-O1", str(DRIVER), "-o", str(driver), "-ldl"]
        subprocess.run(compile_driver, check=True, timeout=300)
        self._process = subprocess.Popen(
            ["qemu-aarch64", "-L", SYSTEM, str(driver), str(library)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.instruction_sets = self._process.stdout.readline().decode().split()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)

    def call(self, symbol: str, kinds: str, *arguments: Any) -> None:
        """Call it, and write into each array what it holds afterwards."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        message, arrays = [symbol.encode() + b"\n"], []
        for kind, argument in zip(kinds, arguments, strict=True):
            if kind in "fc":
                arrays.append(argument)
                message += [struct.pack("<Q", argument.nbytes), argument.tobytes()]
            elif kind == "p":
                behind = self._arrays_behind(argument, arguments)
                arrays += behind
                message.append(struct.pack("<Q", len(behind)))
                for array in behind:
                    message += [struct.pack("<Q", array.nbytes), array.tobytes()]
            else:
                message.append(struct.pack({"n": "<Q", "i": "<i", "e": "<f"}[kind], argument))
        self._process.stdin.write(b"".join(message))
        self._process.stdin.flush()
        for array in arrays:
            answer = self._process.stdout.read(array.nbytes)
            assert len(answer) == array.nbytes, f"{symbol} ended the process"
            if array.flags.writeable:
                array.reshape(-1)[:] = np.frombuffer(answer, array.dtype)

    @staticmethod
    def _arrays_behind(pointers: Any, arguments: Sequence[Any]) -> list[Any]:
        """The logits of `ratio_masks`: as many as its second argument says, of as many values as its fourth."""
        stems, count = arguments[1], arguments[3]
        values = ctypes.POINTER(ctypes.c_float * count)
        return [np.frombuffer(ctypes.cast(pointers[stem], values).contents, np.float32) for stem in range(stems)]


class EmulatedLayers(Layers):
    """Layers whose compiled part is the emulator's. What is checked, packed and put together is the package's own."""

    def __init__(self, emulator: Emulator, instruction_set: str) -> None:
        self.instruction_set = instruction_set
        self._call = {
            name: partial(emulator.call, f"{name}_{instruction_set}", kinds)
            for name, kinds in binding._FUNCTIONS.items()
        }
