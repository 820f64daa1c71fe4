"""Reads TensorFlow's checkpoint bundles without TensorFlow: strictly, with every checksum, and within bounds.

An index, `model.index`, is a table of LevelDB's kind (`table`) whose values are small protocol buffers (`entries`).
They say where in the data, `model.data-00000-of-00001` and so on, each tensor lies (`tensors`). The formats are
TensorFlow's `core/lib/io/format.h`, `core/protobuf/tensor_bundle.proto` and `core/util/tensor_bundle`.
"""

from consumer.separator.models.bundle.errors import BadBundle
from consumer.separator.models.bundle.tensors import Bundle, open_bundle

__all__ = ["BadBundle", "Bundle", "open_bundle"]
