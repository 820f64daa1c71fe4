"""Whether what a separator tells of its sandbox is enough, where the settings want all of it."""

import re

from consumer.core.errors import Fatal

_MISSING = re.compile(r"no (?:landlock|seccomp) \([^)]*\)")


def require_walls(sandbox: str) -> None:
    """Raises Fatal where these few words tell that a wall is missing."""
    if missing := _MISSING.findall(sandbox):
        raise Fatal(f"SANDBOX_REQUIRED: {', '.join(missing)}; audio would be read without that wall")
