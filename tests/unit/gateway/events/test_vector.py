"""Ids of events: short, of these topics alone, and anything else is none."""

import pytest

from consumer.core.model import TopicPartition
from consumer.gateway.events.vector import EventIds

IDS = EventIds({"requests": "u1", "results": "u2"})
LOG = IDS.text({}).partition(".")[0]


def test_an_id_names_offsets_by_topic_and_partition() -> None:
    """In the order of the topics; a partition that was not read is empty."""
    positions = {TopicPartition("results", 0): 7, TopicPartition("requests", 2): 0, TopicPartition("requests", 0): 12}
    assert IDS.text(positions) == f"{LOG}.12,,0;7"
    assert IDS.parse(f"{LOG}.12,,0;7") == positions
    assert IDS.parse(f"{LOG}.;") == {}


@pytest.mark.parametrize(
    "text",
    [
        "", ".", LOG, f"{LOG}.", f"{LOG}.1", f"{LOG}.1;2;3", f"{LOG}.-1;0", f"{LOG}.01;0", f"{LOG}.1;x", f"{LOG}.1;2\n",
        f"{LOG}.1;{'9' * 19}", f"{LOG}.١;0", f"{LOG.upper()}x.1;0", f" {LOG}.1;0", "0" * 8 + ".1;0",
        f"{LOG}.{'1,' * 20000}1;0",
    ],
)  # fmt: skip
def test_what_we_did_not_give_is_none(text: str) -> None:
    """Never an error, and never some of it."""
    assert IDS.parse(text) is None


def test_topics_that_were_made_anew_have_other_ids() -> None:
    """Also topics of another name, or in another order."""
    others = [
        {"requests": "u1", "results": "u3"},
        {"requests": "u1", "other": "u2"},
        {"results": "u2", "requests": "u1"},
    ]
    assert all(EventIds(other).parse(f"{LOG}.1;2") is None for other in others)
