"""The separator: a process of its own that turns one local audio file into stem files.

It decodes with ffmpeg, separates segment by segment with Spleeter's networks, and encodes with ffmpeg. It knows
nothing of Kafka or object storage and holds no credentials; it may be killed at any moment with nothing lost.
`client` and `protocol` are the parent's side and import neither numpy nor TensorFlow.

For scripts that were written for Spleeter this package has the names of theirs too, `Separator` and what goes with it:
see `spleeter_api`. They are found when they are asked for, and what they need is loaded then.
"""

from typing import TYPE_CHECKING

from consumer.core.extras import not_installed
from consumer.core.lazy import lazy_names

if TYPE_CHECKING:
    from consumer.separator.spleeter_api.adapter import AudioAdapter, FFMPEGProcessAudioAdapter
    from consumer.separator.spleeter_api.errors import SpleeterError
    from consumer.separator.spleeter_api.options import Codec, STFTBackend
    from consumer.separator.spleeter_api.separator import Separator

__all__ = ["AudioAdapter", "Codec", "FFMPEGProcessAudioAdapter", "STFTBackend", "Separator", "SpleeterError"]

_find = lazy_names(
    f"{__name__}.spleeter_api",
    {
        "adapter": ("AudioAdapter", "FFMPEGProcessAudioAdapter"),
        "errors": ("SpleeterError",),
        "options": ("Codec", "STFTBackend"),
        "separator": ("Separator",),
    },
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name}: {not_installed(error.name or str(error))}") from error
