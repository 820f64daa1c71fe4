"""Spleeter's U-Net on processors: in float32, by Winograd's minimal filtering."""

from spleeter_kernels.binding import BORDER, Layers, available
from spleeter_kernels.unet import UNet, Workspace

__all__ = ["BORDER", "Layers", "UNet", "Workspace", "available"]
