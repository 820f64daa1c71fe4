"""Times as the API writes them."""

from datetime import UTC, datetime


def iso_time(at_s: float) -> str:
    """RFC 3339, UTC, to the millisecond. at_s: since 1970."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
