"""What a member learns of its connection from its client's figures."""

import json

from consumer.adapters.kafka.connection import Connection


def figures(state: str) -> str:
    broker = {"state": state, "nodeid": 1, "rtt": {"avg": 0}}
    return json.dumps({"rx_bytes": 5, "tx_bytes": 7, "brokers": {"one": broker}})


def test_a_client_is_forsaken_after_a_while_without_a_connection() -> None:
    """Counted from when it was lost: not where one was back in between, or where nothing was told yet."""
    now = [0.0]
    connection = Connection(forsaken_s=60.0, clock=lambda: now[0])
    now[0] = 1000.0
    assert not connection.is_forsaken
    told = ((1000, "DOWN", False), (1055, "DOWN", False), (1061, "DOWN", True), (1062, "UP", False))
    for at, state, is_forsaken in (*told, (1063, "DOWN", False), (1120, "DOWN", False), (1124, "TRY_CONNECT", True)):
        now[0] = float(at)
        connection(figures(state))
        assert connection.is_forsaken is is_forsaken
        assert bool(connection.trouble) is (state != "UP")


def test_another_client_has_as_much_time() -> None:
    """It is not said to be connected meanwhile."""
    now = [0.0]
    connection = Connection(forsaken_s=60.0, clock=lambda: now[0])
    connection(figures("DOWN"))
    now[0] = 61.0
    connection.try_anew()
    connection(figures("DOWN"))
    assert (connection.is_forsaken, connection.trouble) == (False, "no broker can be reached")
    now[0] = 122.0
    assert connection.is_forsaken
