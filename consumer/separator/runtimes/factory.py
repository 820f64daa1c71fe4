"""The runtimes by their names; only the one that is asked for is imported."""

import sys
from importlib import import_module

from consumer.core.errors import Code, Rejected
from consumer.core.runtimes import SeparatorRuntime
from consumer.separator.runtimes.runtime import Runtime

_CLASSES = {
    SeparatorRuntime.TENSORFLOW: ("tensorflow", "TensorFlowRuntime"),
    SeparatorRuntime.OPENVINO: ("openvino", "OpenVINORuntime"),
    SeparatorRuntime.NATIVE: ("native", "NativeRuntime"),
}  # the module in this package, and the class in it


def make_runtime(name: str) -> Runtime:
    """The runtime that SEPARATOR_RUNTIME names.

    Raises Rejected(MODEL_UNAVAILABLE) where it is not installed, ValueError where there is none of that name.
    """
    module, made = _CLASSES[SeparatorRuntime(name)]
    try:
        runtime: Runtime = getattr(import_module(f"{__package__}.{module}"), made)()
    except ModuleNotFoundError as error:
        why = f"the runtime {name} is not installed ({error})"
        raise Rejected(Code.MODEL_UNAVAILABLE, why) from error
    return runtime


def leave_keras_out() -> None:
    """Keep TensorFlow from importing Keras, and pandas with it: a quarter of its import's time, and not needed here.

    For processes that will never need it: from then on there is no tf.keras.
    """
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]
