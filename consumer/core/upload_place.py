"""Where files lie that somebody uploaded, below which prefix, and what else lies there."""

UPLOADS = "uploads/"
UPLOAD_RECORDS = f"{UPLOADS}parts/"
"""What is known of uploads in parts, by the names of their files."""
STAGING = f"{UPLOADS}staging/"
"""Files on their way to their names."""


def upload_name(key: str) -> str | None:
    """The last part of an uploaded file's key; None where that is another object's."""
    name = key.removeprefix(UPLOADS)
    return name if key.startswith(UPLOADS) and name and "/" not in name else None


def upload_record_key(name: str) -> str:
    """Where it is kept what is known of the upload of that name."""
    return f"{UPLOAD_RECORDS}{name}.json"
