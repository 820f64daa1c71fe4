"""What may compute the networks, by name. How each does it is its module's in `consumer.separator.runtimes`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class SeparatorRuntime(StrEnum):
    """What there is."""

    TENSORFLOW = "tensorflow"
    OPENVINO = "openvino"
    NATIVE = "native"


class RuntimeChoice(StrEnum):
    """What SEPARATOR_RUNTIME may say: one of them, or `auto` for the fastest that will do."""

    AUTO = "auto"
    NATIVE = "native"
    OPENVINO = "openvino"
    TENSORFLOW = "tensorflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRuntime:
    """What computes the networks from a process's start to its end. name: its own. reason: why it was chosen."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """title: its name in a text. description: what it is, in a line. reads_checkpoints: whether it loads
    checkpoints as they are; the others map a conversion, which is made once.
    """

    title: str
    description: str
    reads_checkpoints: bool = False


RUNTIMES: Mapping[SeparatorRuntime, RuntimeFacts] = {
    SeparatorRuntime.TENSORFLOW: RuntimeFacts(
        title="TensorFlow", description="Spleeter's own, installed with every separator", reads_checkpoints=True
    ),
    SeparatorRuntime.OPENVINO: RuntimeFacts(
        title="OpenVINO", description="least memory; extra `openvino`", reads_checkpoints=True
    ),
    SeparatorRuntime.NATIVE: RuntimeFacts(
        title="native", description="least time, on this project's own kernels; extra `native`"
    ),
}
