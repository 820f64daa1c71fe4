"""Publishes outcomes: the only place that commits. One thread, one transaction at a time."""

import threading
from collections.abc import Callable, Sequence

import structlog

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced
from consumer.core.ports import Outbox, Source
from consumer.delivery.assignment import Offer
from consumer.delivery.dispatcher import Ledger

_IDLE_S = 0.2
_RETRY_S = 0.5


class Publisher:
    """Moves what the ledger offers into Kafka.

    on_published: told of each offer after its transaction is committed.
    """

    def __init__(self, ledger: Ledger, outbox: Outbox, source: Source, on_published: Callable[[Offer], None]) -> None:
        self._ledger, self._outbox, self._source = ledger, outbox, source
        self._on_published = on_published
        self._stopped = threading.Event()
        self._turns = 0
        self._away = ""
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Publish until stopped."""
        while not self._stopped.is_set():
            self._turns += 1
            if offers := self._ledger.offers(_IDLE_S):
                self.publish(offers)
            else:
                self._away = ""  # what could not be published is another replica's by now

    def sign_of_life(self) -> object:
        """Changes as long as this goes on, however long an outage takes."""
        return self._turns, self._outbox.calls

    @property
    def trouble(self) -> str:
        """What keeps outcomes from being published, "" if nothing does."""
        return self._outbox.waits_for or self._away

    def stop(self) -> None:
        self._stopped.set()

    def publish(self, offers: Sequence[Offer]) -> None:
        """Publish what can be; what can't be now is offered again by the ledger."""
        try:
            self._outbox.publish([offer.commit for offer in offers])
            self._away = ""
        except OwnershipLost as lost:
            if len(offers) > 1:  # one of them spoils the transaction for all
                for offer in offers:
                    self.publish([offer])
                return
            self._log.warning("publish.refused", partition=offers[0].lease.partition, reason=str(lost))
            self._ledger.refuse(offers[0])
        except BrokerUnavailable as away:
            self._away = str(away)
            self._log.warning("publish.delayed", reason=str(away))
            self._stopped.wait(_RETRY_S)
        except ProducerFenced as fenced:
            self._log.warning("publish.fenced", reason=str(fenced))
            self._confirm(self._committed_after_all(offers))
        else:
            self._confirm(offers)

    def _committed_after_all(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those whose transaction went through although nobody told us."""
        while not self._stopped.is_set():
            self._turns += 1
            try:
                positions = self._source.committed([offer.lease.partition for offer in offers])
            except BrokerUnavailable as away:
                self._away = str(away)
                self._stopped.wait(_RETRY_S)
                continue
            self._away = ""
            return [offer for offer in offers if positions[offer.lease.partition] == offer.commit.position]
        return []

    def _confirm(self, offers: Sequence[Offer]) -> None:
        for offer in offers:
            self._ledger.confirm(offer)
            self._on_published(offer)
