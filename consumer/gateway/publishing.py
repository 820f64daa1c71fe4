"""What the gateway writes to Kafka: requests and wishes to cancel them."""

import asyncio
from datetime import UTC, datetime

from consumer.client.sender import Sender
from consumer.core.events import Event, SeparationControl, SeparationRequest
from consumer.core.model import TopicPartition
from consumer.core.ports import Codec
from consumer.gateway.tracing import trace_headers
from consumer.settings import TopicSettings


class Publisher:
    """Belongs to one event loop. Each method returns once the brokers have the record.

    Both raise BrokerUnavailable, AccessDenied, RegistryUnavailable, and Rejected for what no record can hold.
    """

    def __init__(self, sender: Sender, codec: Codec, topics: TopicSettings) -> None:
        self._sender, self._codec, self._topics = sender, codec, topics

    async def request(self, request: SeparationRequest) -> tuple[TopicPartition, int]:
        """Where the request lies since then."""
        return await self._send(self._topics.requests, request, request.request_id)

    async def cancel(self, request_id: str) -> None:
        """Wish that a request be stopped, or not begun."""
        wish = SeparationControl(request_id=request_id, action="cancel", issued_at=datetime.now(UTC))
        await self._send(self._topics.control, wish, request_id)

    async def _send(self, topic: str, event: Event, key: str) -> tuple[TopicPartition, int]:
        value = self._codec.encode(event)
        # In a thread: it looks for the topic first, and waits where the queue is full.
        sent = await asyncio.to_thread(self._sender.send, topic, value, key, trace_headers())
        # Shielded: whoever asked may go away, but the record is on its way.
        return await asyncio.shield(asyncio.wrap_future(sent.future()))
