"""Samples again and again, whether anybody looks or not."""

import asyncio
from collections.abc import Awaitable, Callable

from consumer.gateway.history.samples import EVERY_S


async def keep_sampled(
    sample: Callable[[], Awaitable[None]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Until cancelled. The first is taken after a while: whoever looks earlier has a sample taken by that."""
    while True:
        await sleep(EVERY_S)
        await sample()
