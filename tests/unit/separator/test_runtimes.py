"""The runtimes' table is whole: what a setting may name can be made, described and prepared for."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from consumer.core.runtimes import RUNTIMES, SeparatorRuntime
from consumer.separator.models.conversion_cache import conversion_needed_by, ensure_converted
from consumer.separator.runtimes import factory


def test_each_runtime_stands_in_every_table() -> None:
    """One that is added to the names alone is found here."""
    assert list(RUNTIMES) == list(SeparatorRuntime)
    assert list(factory._CLASSES) == list(SeparatorRuntime)
    for module, _ in factory._CLASSES.values():
        assert find_spec(f"consumer.separator.runtimes.{module}")


def test_what_does_not_read_checkpoints_has_them_converted() -> None:
    """TensorFlow and OpenVINO need nothing beforehand; native maps what is made once."""
    needed = {runtime: conversion_needed_by(runtime) for runtime in SeparatorRuntime}
    assert needed == {"tensorflow": None, "openvino": None, "native": ensure_converted}


@pytest.mark.parametrize("make", [factory.make_runtime, conversion_needed_by])
def test_an_unknown_runtime_is_refused(make: Callable[[str], object]) -> None:
    """A name that is not in the table is our own mistake: settings let none through."""
    with pytest.raises(ValueError, match="onnx"):
        make("onnx")
