"""One stem's U-Net, layer after layer, and the maps that lie between the layers."""

from collections.abc import Mapping, Sequence

import numpy as np

from spleeter_kernels import packing
from spleeter_kernels.binding import APART, BORDER, TILES, Array, Layers
from spleeter_kernels.checks import expect_within
from spleeter_kernels.fit import why_unfit_network
from spleeter_kernels.packing import PANEL, Layer, padded_channels
from spleeter_kernels.winograd import FOUR_AT_A_TIME, TWO_AT_A_TIME

ACTIVATIONS = ("ReLU", "LeakyReLU", "ELU")


class Workspace:
    """The maps of one computation, for one at a time, of any U-Net of the same sizes: 55 MB for Spleeter's.

    Raises ValueError where the sizes don't suit the layers.
    """

    def __init__(self, frames: int, bins: int, filters: Sequence[int]) -> None:
        if why := why_unfit_network(frames, bins, filters):
            raise ValueError(why)
        channels = [padded_channels(count) for count in filters]
        depth = len(filters)

        def maps(levels: range) -> list[Array]:
            sizes = [(frames >> level, bins >> level, channels[level - 1]) for level in levels]
            return [np.zeros((height + BORDER, width + BORDER, deep), np.float32) for height, width, deep in sizes]

        self.raw = maps(range(1, depth + 1))
        self.active = maps(range(1, depth))
        self.up = maps(range(depth - 1, 0, -1))
        self.last = np.zeros((frames + 6, bins + 6), np.float32)
        transformed = max(  # of a tile's inputs: of each layer, its products of each channel
            len(FOUR_AT_A_TIME.strided) * max(channels[:-2]),
            len(TWO_AT_A_TIME.strided) * channels[-2],
            len(TWO_AT_A_TIME.plain) * channels[-1],
            len(FOUR_AT_A_TIME.plain) * 2 * max(channels[:-1]),
        )
        points = len(FOUR_AT_A_TIME.plain)
        winograd = TILES * (transformed + points * PANEL) + 2 * points * APART
        outermost = 3 * 2 * channels[0] * (bins // 2 + BORDER + 16)
        self.scratch = np.zeros(max(winograd, outermost), np.float32)


class UNet:
    """Spleeter's U-Net. Skips are the convolutions' raw outputs.

    Safe for several threads, each with a Workspace of its own.
    """

    def __init__(
        self,
        layers: Layers,
        down: Sequence[Layer],
        up: Sequence[Layer],
        last: Layer,
        *,
        encoder_activation: str,
        decoder_activation: str,
    ) -> None:
        """down, up: with a stride of 2, `up` transposed, in the order of the computation. last: (4, 4, 1, 2)."""
        self._layers = layers
        self._encoder, self._decoder = map(ACTIVATIONS.index, (encoder_activation, decoder_activation))
        affines = [packing.affine(layer) for layer in (*down, *up)]
        down_kernels = [
            packing.outermost_strided(down[0].kernel),
            *(packing.strided(layer.kernel, FOUR_AT_A_TIME) for layer in down[1:-1]),
            packing.strided(down[-1].kernel, TWO_AT_A_TIME),
        ]
        up_kernels = [
            packing.transposed(up[0].kernel, TWO_AT_A_TIME, maps=1),
            *(packing.transposed(layer.kernel, FOUR_AT_A_TIME, maps=2) for layer in up[1:-1]),
            packing.outermost_transposed(up[-1].kernel),
        ]
        affines[-1] = np.ascontiguousarray(affines[-1][:, :1])  # of one channel
        self._down = list(zip(down_kernels, affines[: len(down)], strict=True))
        self._up = list(zip(up_kernels, affines[len(down) :], strict=True))
        # Of a conversion's arrays, which lie in its file one behind the other, not each is aligned.
        self._last = np.require(last.kernel, np.float32, ["C", "A"]), np.require(last.bias, np.float32, ["C", "A"])

    def packed(self) -> dict[str, Array]:
        """What the constructor has made of the layers, by name, for a PackedUNet."""
        sides = {"down": self._down, "up": self._up, "last": [self._last]}
        return {
            f"{side}/{number}/{kind}": array
            for side, pairs in sides.items()
            for number, pair in enumerate(pairs)
            for kind, array in zip(("kernel", "affine"), pair, strict=True)
        }

    def logits(self, magnitudes: Array, workspace: Workspace, *, frames: int | None = None) -> Array:
        """magnitudes: (2, T + BORDER, F + BORDER), in a border of zeros, 1 before and 2 behind.

        Returns (2, T, F), or of so many frames, the first. Of fewer, the decoder, which takes two thirds of the time,
        has less to do; the encoder sees half a segment around each anyway.
        """
        whole = workspace.last.shape[0] - 6
        frames = whole if frames is None else frames
        expect_within("frames", frames, 1, whole)
        self._encode(magnitudes, workspace)
        self._decode(workspace, frames)
        return self._layers.dilated(workspace.last[: frames + 6], *self._last)

    def _encode(self, magnitudes: Array, workspace: Workspace) -> None:
        layers, raw, active = self._layers, workspace.raw, workspace.active
        layers.outermost_down(magnitudes, *self._down[0], self._encoder, raw[0], active[0])
        for i in range(1, len(active)):
            layers.down(active[i - 1], *self._down[i], self._encoder, raw[i], active[i], workspace.scratch)
        # The innermost normalization and activation lead nowhere, as in Spleeter.
        layers.innermost_down(active[-1], *self._down[-1], raw[-1], workspace.scratch)

    def _decode(self, workspace: Workspace, frames: int) -> None:
        layers, scratch, ups = self._layers, workspace.scratch, workspace.up
        maps = [workspace.raw[-1], *ups]
        rows = _rows(frames, [len(x) - BORDER for x in maps])
        inputs = [x[: count + BORDER] for x, count in zip(maps, rows, strict=True)]
        skips = [x[: count + BORDER] for x, count in zip(workspace.raw[-2::-1], rows[1:], strict=True)]
        layers.innermost_up(inputs[0], *self._up[0], self._decoder, ups[0], scratch)
        for i in range(1, len(ups)):
            layers.up(skips[i - 1], inputs[i], *self._up[i], self._decoder, ups[i], scratch)
        layers.outermost_up(skips[-1], inputs[-1], *self._up[-1], self._decoder, workspace.last, scratch)


class PackedUNet(UNet):
    """A U-Net whose arrays are packed already, and may lie in a file that is mapped."""

    def __init__(
        self,
        layers: Layers,
        arrays: Mapping[str, Array],
        *,
        depth: int,
        encoder_activation: str,
        decoder_activation: str,
    ) -> None:
        """arrays: what `UNet.packed` gave. depth: layers down, and up. Raises KeyError where one is missing."""
        self._layers = layers
        self._encoder, self._decoder = map(ACTIVATIONS.index, (encoder_activation, decoder_activation))
        self._down, self._up, (self._last,) = (
            [(arrays[f"{side}/{number}/kernel"], arrays[f"{side}/{number}/affine"]) for number in range(count)]
            for side, count in (("down", depth), ("up", depth), ("last", 1))
        )


def _rows(frames: int, heights: Sequence[int]) -> list[int]:
    """Of transposed layers whose inputs have these heights, the rows to go through for so many frames: whole tiles.

    A tile takes what lies within one row of it, all of which must be right: even what cancels out is rounded.
    """
    rows: list[int] = []
    wanted = frames + 3  # the last layer's reach
    tiles = [2, *[4] * (len(heights) - 2), 1]
    for tile, height in zip(reversed(tiles), reversed(heights), strict=True):
        rows.insert(0, min(tile * -(-wanted // (2 * tile)), height))
        wanted = rows[0] + 1
    return rows
