"""Packages that are installed only with an extra of this one, and what to say where one of them is missing."""

import re
from collections.abc import Mapping, Sequence

from consumer.core.errors import Fatal

# What a package is imported by, and the extra that brings it.
EXTRAS: Mapping[str, str] = {
    "google_crc32c": "separator",
    "imageio_ffmpeg": "separator",
    "jwt": "gateway",
    "numpy": "separator",
    "openvino": "openvino",
    "opentelemetry": "otel",
    "safetensors": "separator",
    "scipy": "openvino",
    "spleeter": "spleeter",
    "spleeter_kernels": "separator",
    "tensorflow": "tensorflow",
}
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def not_installed(module: str) -> Fatal:
    """One line on a module that can't be found, with the extra that it comes with."""
    package = module.partition(".")[0]
    extra = EXTRAS.get(package)
    return Fatal(f"{package} is not installed" + (f": it comes with spleeter-consumer[{extra}]" if extra else ""))


def missing_in(stderr_lines: Sequence[str]) -> Fatal | None:
    """What to say of a Python process that ended since a package is missing; None where it ended otherwise."""
    found = _MISSING.match(stderr_lines[-1]) if stderr_lines else None
    return not_installed(found[1]) if found else None
