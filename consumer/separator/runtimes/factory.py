"""The runtimes by their names; only the one that is asked for is imported."""

import sys

from consumer.core.errors import Code, Rejected
from consumer.separator.runtimes.runtime import Runtime


def make_runtime(name: str) -> Runtime:
    """The runtime that SEPARATOR_RUNTIME names. Raises Rejected(MODEL_UNAVAILABLE) where it is not installed."""
    try:
        match name:
            case "tensorflow":
                from consumer.separator.runtimes.tensorflow import TensorFlowRuntime

                return TensorFlowRuntime()
            case "openvino":
                from consumer.separator.runtimes.openvino import OpenVINORuntime

                return OpenVINORuntime()
            case "native":
                from consumer.separator.runtimes.native import NativeRuntime

                return NativeRuntime()
    except ModuleNotFoundError as error:
        why = f"the runtime {name} is not installed ({error})"
        raise Rejected(Code.MODEL_UNAVAILABLE, why) from error
    raise ValueError(name)


def leave_keras_out() -> None:
    """TensorFlow's import loads Keras if it can, and pandas with it: a quarter of its time, for nothing needed here.

    For processes that will never need it: from then on there is no tf.keras.
    """
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]
