"""What is read for whoever asks is a sample too, and what can't be read is a gap."""

import asyncio
from typing import Any, cast

from consumer.core.errors import BrokerUnavailable
from consumer.core.group import Group, GroupMember
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.model import TopicPartition
from consumer.gateway.operating import Operating
from harness.clock import ManualClock


class Kafka:
    """Brokers that answer, or don't."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self.is_away, self.knows_group = clock, False, True
        self.held_at: int | None = None

    def lag(self) -> Backlog:
        if self.is_away:
            raise BrokerUnavailable("away")
        now_s = self._clock.now().timestamp()
        lags = [
            PartitionLag(
                partition=TopicPartition("requests", number), messages=number, oldest_at_s=now_s - 100 * number
            )
            for number in (1, 2)
        ]
        if self.held_at is not None:
            third = PartitionLag(
                partition=TopicPartition("requests", 3), messages=0, oldest_at_s=None, held=2, held_at=self.held_at
            )
            lags.append(third)
        return Backlog(lags=lags, taken_at=self._clock.monotonic())

    def group(self) -> Group:
        if self.is_away or not self.knows_group:
            raise BrokerUnavailable("not allowed to")
        mine = (TopicPartition("requests", 1),)
        return Group(
            state="stable",
            members=(GroupMember(member_id="m", instance_id=None, client_id="c", host="h", partitions=mine),),
        )


def test_an_hour_of_samples() -> None:
    """Of the group as a whole, also where parts or all of it can't be read."""

    async def run() -> None:
        clock = ManualClock()
        kafka = Kafka(clock)
        operating = Operating(kafka.lag, kafka.group, cast(Any, None), "requests", {}, clock)

        def samples() -> list[tuple[int | None, float | None, int | None]]:
            told = operating.samples.samples(clock.now().timestamp())
            return [(each.messages, each.seconds, each.replicas) for each in told]

        assert samples() == []
        await operating.sample()
        assert samples() == [(3, 200.0, 1)]
        clock.advance(30)
        kafka.is_away = True
        await operating.sample()
        assert samples()[1:] == [(None, None, None)]
        clock.advance(30)
        kafka.is_away, kafka.knows_group = False, False
        told = await operating.partitions([])
        assert [(each["partition"], each["standing"], each["owner"]) for each in told] == [
            (2, "unknown", None),
            (1, "unknown", None),
        ]
        assert samples()[2:] == [(3, 200.0, None)]
        kafka.knows_group = True
        told = await operating.partitions([])
        assert [(each["partition"], each["standing"], each["owner"]) for each in told] == [
            (2, "nobody", None),
            (1, "stuck", "c at h"),
        ]
        assert samples()[2:] == [(3, 200.0, 1)]

    asyncio.run(run())


def test_a_transaction_that_stays_open() -> None:
    """It holds its partition once it was seen for a minute; many short ones, one after the other, never do."""

    async def run() -> None:
        clock = ManualClock()
        kafka = Kafka(clock)
        operating = Operating(kafka.lag, kafka.group, cast(Any, None), "requests", {}, clock)

        async def third() -> tuple[str, float]:
            [found] = [each for each in await operating.partitions([]) if each["partition"] == 3]
            return found["standing"], found["held_seconds"]

        for offset in range(10):
            kafka.held_at = offset
            assert await third() == ("clear", 0.0)
            clock.advance(30)
        assert await third() == ("clear", 30.0)
        clock.advance(30)
        await operating.sample()
        clock.advance(3)
        assert await third() == ("held", 63.0)
        kafka.held_at = 50
        clock.advance(3)
        assert await third() == ("clear", 0.0)

    asyncio.run(run())
