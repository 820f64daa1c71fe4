"""Every hostile file, by its name."""

from harness.hostile import harmed, polyglots, references, sizes, tags
from harness.hostile.specimen import HostileFile


def catalogue() -> dict[str, HostileFile]:
    """name -> file, in a steady order."""
    found = [file for family in (references, polyglots, tags, sizes, harmed) for file in family.files()]
    by_name = {file.name: file for file in found}
    assert len(by_name) == len(found), "two files have one name"
    return by_name
