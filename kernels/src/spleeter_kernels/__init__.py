"""Spleeter on processors, in float32: its U-Net, by Winograd's minimal filtering, and the way back to samples.

Its names are found when they are first used: who only asks `why_unfit` loads neither numpy nor the compiled layers.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spleeter_kernels.binding import BORDER, Layers
    from spleeter_kernels.fit import why_unfit
    from spleeter_kernels.fourier import OverlapAdd, Transform
    from spleeter_kernels.library import KernelsUnusable, available
    from spleeter_kernels.loudness import Weighting
    from spleeter_kernels.unet import PackedUNet, UNet, Workspace

__all__ = [
    "BORDER",
    "KernelsUnusable",
    "Layers",
    "OverlapAdd",
    "PackedUNet",
    "Transform",
    "UNet",
    "Weighting",
    "Workspace",
    "available",
    "why_unfit",
]

_MODULES = {
    "BORDER": "binding",
    "KernelsUnusable": "library",
    "Layers": "binding",
    "OverlapAdd": "fourier",
    "PackedUNet": "unet",
    "Transform": "fourier",
    "UNet": "unet",
    "Weighting": "loudness",
    "Workspace": "unet",
    "available": "library",
    "why_unfit": "fit",
}

if not TYPE_CHECKING:  # else every name would be taken for one that is here

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
