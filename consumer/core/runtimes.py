"""What may compute the networks, by name. How each does it is its module's in `consumer.separator.runtimes`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class SeparatorRuntime(StrEnum):
    """The names that SEPARATOR_RUNTIME may have."""

    TENSORFLOW = "tensorflow"
    OPENVINO = "openvino"
    NATIVE = "native"


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
