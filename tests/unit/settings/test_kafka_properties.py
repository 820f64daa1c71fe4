"""Which of librdkafka's properties KAFKA_<PROPERTY> may set, held against the library that is installed."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from consumer.adapters.kafka.config import connect, consumer_config, transactional_config
from consumer.core.errors import SettingsError
from consumer.settings import KafkaSettings
from consumer.settings.kafka_properties import RULES, Free, OneOf, Refused, Within, variable_of
from harness.pages.rows import kafka_property_rows

Row = tuple[str, str, str]  # name, whom it is for (C, P, *), its range


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What the loaded library itself prints of its properties: the table that its CONFIGURATION.md is made of."""
    assert confluent_kafka.libversion()  # loads it
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = ctypes.CDLL(next(line.split()[-1] for line in maps if "librdkafka" in line))
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    path = tmp_path_factory.mktemp("librdkafka") / "properties.md"
    file = ctypes.c_void_p(libc.fopen(str(path).encode(), b"w"))
    library.rd_kafka_conf_properties_show(file)
    libc.fclose(file)
    cells = [[cell.strip() for cell in line.split("|")] for line in path.read_text().splitlines()]
    return [(row[0], row[1], row[2]) for row in cells if len(row) > 3 and row[1] in ("C", "P", "*")]


def test_every_property_of_the_library_is_reviewed(documented: list[Row]) -> None:
    """The table knows each property that the installed library has, and none that it has not."""
    names = {name for name, _, _ in documented}
    assert len(names) > 150
    assert RULES.keys() == names


def test_no_two_properties_share_a_variable() -> None:
    """Each variable sets one property, whether its name has dots or underscores."""
    assert len({variable_of(name) for name in RULES}) == len(RULES)


OF_THEIR_OWN = ("bootstrap.servers", "group.id", "group.protocol")


def test_what_has_a_setting_of_its_own_is_one() -> None:
    """What KAFKA_BOOTSTRAP_SERVERS and the like set is documented among the settings."""
    assert {variable_of(name) for name in OF_THEIR_OWN} < KafkaSettings.variables().keys()


@pytest.mark.parametrize(
    "name", [name for name, rule in RULES.items() if isinstance(rule, Refused) and name not in OF_THEIR_OWN]
)
def test_what_is_refused_is_named_with_its_reason(environment: pytest.MonkeyPatch, name: str) -> None:
    """One line begins with that property's own variable and says why."""
    environment.setenv(variable_of(name), "false")
    rule = RULES[name]
    assert isinstance(rule, Refused)
    with pytest.raises(SettingsError) as caught:
        KafkaSettings.load()
    assert str(caught.value).startswith(f"{variable_of(name)}: ")
    assert rule.why in str(caught.value)
    assert "\n" not in str(caught.value)


LOST = {"AUTO_OFFSET_RESET": "latest", "STATISTICS_INTERVAL_MS": "0", "ENABLE_PARTITION_EOF": "false",
        "ENABLE_IDEMPOTENCE": "false", "ENABLE_AUTO_COMMIT": "true", "ACKS": "1", "TOPIC_BLACKLIST": ".*"}  # fmt: skip


def test_all_that_is_wrong_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    """Values that lose records, or hide that they are lost, are each named by the first load."""
    for name, value in LOST.items():
        environment.setenv(f"KAFKA_{name}", value)
    with pytest.raises(SettingsError) as caught:
        KafkaSettings.load()
    assert all(f"KAFKA_{name}: " in str(caught.value) for name in LOST)


def _ends() -> Iterator[tuple[str, str]]:
    for name, rule in RULES.items():
        if isinstance(rule, Within):
            yield from ((name, str(value)) for value in (rule.lowest, rule.highest))
        elif isinstance(rule, OneOf):
            yield from ((name, choice) for choice in rule.choices)


@pytest.mark.parametrize(("name", "value"), list(_ends()))
def test_what_is_within_bounds_works(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Each end of each range is a value that a member of either protocol and the producer of outcomes are made with."""
    environment.setenv(variable_of(name), value)
    kafka = KafkaSettings.load()
    assert kafka.properties == {name: value}
    connect(Producer, transactional_config(kafka, "id"), "test")
    only_classic = name in ("session.timeout.ms", "heartbeat.interval.ms")
    if only_classic or name == "max.poll.interval.ms":
        environment.setenv("KAFKA_GROUP_PROTOCOL", "classic" if only_classic else "consumer")
    connect(Consumer, consumer_config(KafkaSettings.load(), None), "test").close()


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if isinstance(rule, Within)])
@pytest.mark.parametrize("how", ["below", "above", "no number"])
def test_what_is_beyond_bounds_is_named(environment: pytest.MonkeyPatch, name: str, how: str) -> None:
    """One step beyond either end, and what is no number, is refused in a line that begins with the variable."""
    rule = RULES[name]
    assert isinstance(rule, Within)
    value = {"below": str(rule.lowest - 1), "above": str(rule.highest + 1), "no number": "nan"}[how]
    environment.setenv(variable_of(name), value)
    with pytest.raises(SettingsError, match=rf"^{variable_of(name)}: must be a number from"):
        KafkaSettings.load()


def test_bounds_lie_within_the_library_s_own(documented: list[Row]) -> None:
    """No bound promises what librdkafka would refuse."""
    ranges = {name: [int(end) for end in span.split(" .. ")] for name, _, span in documented if " .. " in span}
    for name, rule in RULES.items():
        if isinstance(rule, Within):
            lowest, highest = ranges[name]
            assert lowest <= rule.lowest < rule.highest <= highest, name


def test_a_property_with_an_underscore_can_be_set(environment: pytest.MonkeyPatch) -> None:
    """KAFKA_LOG_LEVEL is librdkafka's log_level, which has no dot."""
    environment.setenv("KAFKA_LOG_LEVEL", "3")
    kafka = KafkaSettings.load()
    assert kafka.properties == {"log_level": "3"}
    connect(Consumer, consumer_config(kafka, None), "test").close()


def test_the_library_s_own_refusal_names_what_was_given(environment: pytest.MonkeyPatch) -> None:
    """Of two properties that don't go together the one that a variable set is blamed, not the one of ours."""
    environment.setenv("KAFKA_GROUP_PROTOCOL", "classic")
    environment.setenv("KAFKA_SESSION_TIMEOUT_MS", "60000")
    environment.setenv("KAFKA_MAX_POLL_INTERVAL_MS", "6000")
    with pytest.raises(SettingsError, match=r"^KAFKA_(SESSION_TIMEOUT|MAX_POLL_INTERVAL)_MS: "):
        connect(Consumer, consumer_config(KafkaSettings.load(), None), "test")


def test_the_page_lists_all_that_is_not_free() -> None:
    """The table of the page has each property that may not have any value, and none that may."""
    shown = kafka_property_rows()
    for name, rule in RULES.items():
        assert (f"`{name}`" in shown) == (not isinstance(rule, Free)), name


def test_an_unknown_property_is_left_to_the_library(environment: pytest.MonkeyPatch) -> None:
    """What the table does not know is refused by librdkafka, and named."""
    environment.setenv("KAFKA_NO_SUCH_THING", "1")
    with pytest.raises(SettingsError, match=r"^KAFKA_NO_SUCH_THING: "):
        connect(Producer, transactional_config(KafkaSettings.load(), "id"), "test")
    with pytest.raises(KafkaException):
        Producer({"no.such.thing": "1"})
