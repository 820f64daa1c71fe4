"""Spleeter's networks, its Fourier transforms, and loudness, on kernels of our own (`kernels/`), in full float32.

The weights are the same as the others'.
"""

import os
import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import spleeter_kernels
from spleeter_kernels import BORDER, KernelsUnusable, Layers, PackedUNet, UNet, Workspace

from consumer.core.checkpoints import checkpoint_sha256, unavailable
from consumer.separator.dsp.spectral import OverlapAdd, Transform, hann, synthesis_window
from consumer.separator.dsp.weighting import STEPS_PER_S, Weighting, weighting_filters
from consumer.separator.malloc import give_back_memory
from consumer.separator.models.checkpoint import Array, UNetWeights, load_checkpoint
from consumer.separator.models.conversion import OutOfDate, map_conversion
from consumer.separator.models.conversion_cache import conversion_path
from consumer.separator.models.spec import ModelSpec
from consumer.separator.runtimes.runtime import MASK_EPSILON


class NativeRuntime:
    """See runtime.Runtime."""

    name = "native"

    def load(self, spec: ModelSpec) -> "NativeNetwork":
        """See runtime.Runtime."""
        return NativeNetwork(spec)


class NativeNetwork:
    """See runtime.Network. A stem's network is one thread's, on one core: nothing is divided, and no core waits."""

    segments_at_once = 2  # so that no core waits for the other's last network: with 5 stems 9 % less time for a job

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        at_once = min(len(os.sched_getaffinity(0)), self.segments_at_once * len(spec.stems))
        self._threads = ThreadPoolExecutor(at_once)
        self._workspaces: queue.SimpleQueue[Workspace] = queue.SimpleQueue()
        try:
            self._layers = Layers()
            window, back, step = hann(spec.frame_length), synthesis_window(spec), spec.frame_step
            self.transform: Transform = spleeter_kernels.Transform(self._layers, window, step)
            self.overlap_add: OverlapAdd = spleeter_kernels.OverlapAdd(self._layers, back, step)
            for _ in range(at_once):
                self._workspaces.put(Workspace(spec.segment_frames, spec.frequency_bins, spec.filters))
        except (KernelsUnusable, ValueError) as error:
            raise unavailable(spec.name, f"the runtime native can't compute it: {error}") from error
        self.weights_sha256, self._networks = self._loaded()

    def new_weighting(self, rate_hz: int) -> Weighting:
        """See runtime.Network."""
        return spleeter_kernels.Weighting(self._layers, weighting_filters(rate_hz), rate_hz // STEPS_PER_S)

    def _loaded(self) -> tuple[str, list[UNet]]:
        """The checkpoint's digest, and its networks: of its conversion, where there is one, else of itself."""
        spec = self.spec
        sha256 = checkpoint_sha256(spec.name, spec.folder)
        try:
            arrays = map_conversion(conversion_path(spec.name, spec.folder), sha256, architecture(spec))
            return sha256, [_mapped(spec, self._layers, arrays, stem) for stem in range(len(spec.stems))]
        except (OutOfDate, KeyError, OSError):
            sha256, weights = load_checkpoint(spec)
            networks = list(self._threads.map(lambda each: _network(spec, self._layers, each), weights))
            give_back_memory()
            return sha256, networks

    def masks(self, magnitudes: Array) -> Array:
        """See runtime.Network."""
        frames = magnitudes.shape[1]
        behind = self.spec.segment_frames - frames
        bordered = np.pad(magnitudes, ((0, 0), (1, behind + BORDER - 1), (1, BORDER - 1)))
        logits = list(self._threads.map(lambda network: self._logits(network, bordered, frames), self._networks))
        return self._layers.ratio_masks(
            logits,
            magnitudes,
            has_softmax=self.spec.has_softmax,
            exponent=self.spec.separation_exponent,
            epsilon=MASK_EPSILON,
        )

    def _logits(self, network: UNet, bordered: Array, frames: int) -> Array:
        workspace = self._workspaces.get()
        try:
            return network.logits(bordered, workspace, frames=frames)
        finally:
            self._workspaces.put(workspace)


def architecture(spec: ModelSpec) -> dict[str, str]:
    """What a conversion says of the networks in it, to be held against a specification's."""
    return {"stems": str(len(spec.stems)), "filters": ",".join(map(str, spec.filters))}


def packed(spec: ModelSpec, weights: tuple[UNetWeights, ...]) -> dict[str, Array]:
    """The arrays of a conversion: each network's, in the order that the kernels want them."""
    layers = Layers()
    return {
        f"{stem}/{name}": array
        for stem, network in enumerate(weights)
        for name, array in _network(spec, layers, network).packed().items()
    }


def _network(spec: ModelSpec, layers: Layers, weights: UNetWeights) -> UNet:
    return UNet(layers, weights.down, weights.up, weights.last, **_activations(spec))


def _mapped(spec: ModelSpec, layers: Layers, arrays: Mapping[str, Array], stem: int) -> UNet:
    own = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{stem}/")}
    return PackedUNet(layers, own, depth=len(spec.filters), **_activations(spec))


def _activations(spec: ModelSpec) -> dict[str, str]:
    return {"encoder_activation": spec.encoder_activation, "decoder_activation": spec.decoder_activation}
