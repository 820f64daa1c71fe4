"""Spleeter's networks, and its way back to samples, on kernels of our own (`kernels/`), in full float32.

The weights are the same as the others'.
"""

import os
import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from spleeter_kernels import BORDER, KernelsUnusable, Layers, UNet, Workspace
from spleeter_kernels import OverlapAdd as KernelOverlapAdd

from consumer.core.checkpoints import checkpoint_files, unavailable, weights_sha256
from consumer.separator.dsp.spectral import OverlapAdd, synthesis_window
from consumer.separator.malloc import give_back_memory
from consumer.separator.models.checkpoint import Array, UNetWeights, build_weights
from consumer.separator.models.convert import load_tensors
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
        self.weights_sha256 = weights_sha256(checkpoint_files(spec.name, spec.folder)[1])
        at_once = min(len(os.sched_getaffinity(0)), self.segments_at_once * len(spec.stems))
        self._threads = ThreadPoolExecutor(at_once)
        self._workspaces: queue.SimpleQueue[Workspace] = queue.SimpleQueue()
        try:
            self._layers = Layers()
            self.overlap_add: OverlapAdd = KernelOverlapAdd(self._layers, synthesis_window(spec), spec.frame_step)
            for _ in range(at_once):
                self._workspaces.put(Workspace(spec.segment_frames, spec.frequency_bins, spec.filters))
        except (KernelsUnusable, ValueError) as error:
            raise unavailable(spec.name, f"the runtime native can't compute it: {error}") from error
        weights = build_weights(spec, load_tensors(spec.name, spec.folder, self.weights_sha256))
        self._networks = list(self._threads.map(self._packed, weights))
        give_back_memory()

    def _packed(self, weights: UNetWeights) -> UNet:
        return UNet(
            self._layers,
            weights.down,
            weights.up,
            weights.last,
            encoder_activation=self.spec.encoder_activation,
            decoder_activation=self.spec.decoder_activation,
        )

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
