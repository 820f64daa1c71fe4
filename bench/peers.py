"""What people would take instead, each by a command that brings what the project itself has no use for."""

from devstack import system

SHERPA_MODEL = "2stems"  # the only one that it knows
_SHERPA_NEEDS = ("--with", "sherpa-onnx==2.0.1", "--with", "onnx==1.23.2")


def sherpa(*arguments: str) -> list[str]:
    """`bench.sherpa` with these arguments."""
    return [system.uv(), "run", "--quiet", "--no-sync", *_SHERPA_NEEDS, "python", "-m", "bench.sherpa", *arguments]
