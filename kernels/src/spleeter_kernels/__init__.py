"""Spleeter on processors, in float32: its U-Net, by Winograd's minimal filtering, and the way back to samples."""

from spleeter_kernels.binding import BORDER, KernelsUnusable, Layers, available
from spleeter_kernels.fourier import OverlapAdd
from spleeter_kernels.unet import UNet, Workspace

__all__ = ["BORDER", "KernelsUnusable", "Layers", "OverlapAdd", "UNet", "Workspace", "available"]
