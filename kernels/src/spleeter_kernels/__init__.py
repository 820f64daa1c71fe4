"""Spleeter on processors, in float32: its U-Net, by Winograd's minimal filtering, and the way back to samples."""

from spleeter_kernels.binding import BORDER, Layers, available
from spleeter_kernels.fourier import OverlapAdd, Transform
from spleeter_kernels.loudness import Weighting
from spleeter_kernels.unet import PackedUNet, UNet, Workspace

__all__ = ["BORDER", "Layers", "OverlapAdd", "PackedUNet", "Transform", "UNet", "Weighting", "Workspace", "available"]
