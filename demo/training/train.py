"""The training loop."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from demo.training.material import Batch
from demo.training.network import STEMS, UNets

RATE = 2.5e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The learning rate rises to `rate` over `warmup_steps` and falls along half a cosine to nothing at `steps`.

    `magnitudes` weighs Spleeter's own loss beside 0.1 a dB of separation.
    """

    steps: int
    rate: float = RATE
    warmup_steps: int = 100
    magnitudes: float = 0.25


class _Schedule(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __call__(self, step: Any) -> Any:
        step = tf.cast(step, tf.float32)
        warm = tf.minimum((step + 1) / self._plan.warmup_steps, 1.0)
        fallen = 0.5 + 0.5 * tf.cos(tf.constant(3.14159265) * tf.minimum(step / self._plan.steps, 1.0))
        return self._plan.rate * warm * (0.002 + 0.998 * fallen)


def train(networks: UNets, material: Iterator[Batch], plan: Plan, report: Callable[[int, float, float], None]) -> None:
    """Train in place. `report` is called after each step with its number and the two losses, separation first.

    Separation: how loud the error of the vocals is beside the mix, in dB. Magnitudes: Spleeter's own loss, relative.
    """
    optimizer = tf.keras.optimizers.Adam(_Schedule(plan), clipnorm=1.0)

    @tf.function  # type: ignore[untyped-decorator]
    def step(mix: Any, vocals: Any, accompaniment: Any, aligned: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            shares = [tf.sigmoid(logits) for logits in networks.logits(mix, training=True)]
            separation = _separation_db(shares, mix, aligned)
            magnitudes = _magnitudes(shares, mix, (vocals, accompaniment))
            loss = separation * 0.1 + magnitudes * plan.magnitudes
        weights = networks.logits.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return separation, magnitudes

    for number, batch in enumerate(_ahead(material), 1):
        separation, magnitudes = step(batch.mix, batch.vocals, batch.accompaniment, batch.aligned)
        report(number, float(separation), float(magnitudes))
        if number == plan.steps:
            return


def _separation_db(shares: list[Any], mix: Any, aligned: Any) -> Any:
    """Through the mask that separation will use. What one stem gets too much the other gets too little."""
    powers = [share**2 for share in shares]
    mask = powers[0] / (tf.add_n(powers) + 1e-10)
    error = tf.reduce_sum((mask * mix - aligned) ** 2, (1, 2, 3)) / (tf.reduce_sum(mix**2, (1, 2, 3)) + 1.0)
    return 10 / tf.math.log(10.0) * tf.math.log(tf.reduce_mean(error) + 1e-4)


def _magnitudes(shares: list[Any], mix: Any, truths: tuple[Any, ...]) -> Any:
    """Spleeter's L1 loss over the stems, relative to the mix so that quiet songs count as much."""
    scale = tf.reduce_mean(mix) + 1e-3
    errors = [tf.reduce_mean(tf.abs(share * mix - truth)) for share, truth in zip(shares, truths, strict=True)]
    return tf.add_n(errors) / (len(STEMS) * scale)


def _ahead(material: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, made in a thread of their own while the networks learn."""
    ready: queue.Queue[Batch] = queue.Queue(maxsize=4)

    def fill() -> None:
        for batch in material:
            ready.put(batch)

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield ready.get()
