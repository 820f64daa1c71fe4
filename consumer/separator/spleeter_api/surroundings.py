"""What Spleeter's interface takes from the environment, since its methods don't take it: weights, runtime, ffmpeg.

The separator's process gets its settings from whoever starts it. A script has nobody to hand it any, so here, and
nowhere else in this package, variables are read: the ones that the commands heed too.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.model_digests import parse_model_digests
from consumer.core.runtimes import RuntimeChoice
from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error


def model_path() -> Path:
    """MODEL_PATH, which Spleeter knows too: the folder of the models' folders."""
    return Path(os.environ.get("MODEL_PATH") or "pretrained_models")


def model_digests() -> Mapping[str, str]:
    """MODEL_SHA256: digests that weights must have, by their folders. Raises SpleeterError."""
    try:
        return parse_model_digests(os.environ.get("MODEL_SHA256", ""))
    except ValueError as error:
        raise SpleeterError(f"MODEL_SHA256: {error}") from error


def runtime() -> RuntimeChoice:
    """SEPARATOR_RUNTIME, or the fastest that there is. Raises SpleeterError."""
    name = os.environ.get("SEPARATOR_RUNTIME", "").strip().lower()
    try:
        return RuntimeChoice(name or RuntimeChoice.AUTO)
    except ValueError as error:
        raise SpleeterError(f"SEPARATOR_RUNTIME must be one of {', '.join(RuntimeChoice)}, not {name}") from error


def ffmpeg() -> FFmpeg:
    """FFMPEG_PATH, or the one that is installed with this package. Raises SpleeterError where there is none."""
    with told_as_spleeter_error():
        return FFmpeg(binary=os.environ.get("FFMPEG_PATH") or bundled_binary(), allowed_formats=SOURCE_FORMATS)
