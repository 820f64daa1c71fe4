"""Who is in the group, asked by a process of its own: what happens to it does not end whoever asks."""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from consumer.app.group_process import REQUEST_S, GroupReport
from consumer.core.errors import BrokerUnavailable
from consumer.core.group import Group

COMMAND = (sys.executable, "-m", "consumer.app.group_process")
_LONGEST_S = REQUEST_S + 20.0  # its start included


def read_group(command: Sequence[str] = COMMAND) -> Group:
    """As it is now. Raises BrokerUnavailable."""
    try:
        # Its report says what was wrong; lines of its libraries would be none of the caller's log.
        ran = subprocess.run(
            [*command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_LONGEST_S,
        )
        report = msgspec.json.decode(ran.stdout, type=GroupReport)
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        raise BrokerUnavailable("the process that asks for the group's members died") from error
    if report.group is None:
        raise BrokerUnavailable(report.trouble)
    return report.group
