"""Keys as an operator writes them: several in one text, with commas or line ends between."""

import re
from dataclasses import dataclass

from consumer.core.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """What a key must be. shortest, longest: in characters. characters: a pattern of those that it may have."""

    shortest: int
    longest: int
    characters: str

    def parse(self, variable: str, text: str) -> tuple[str, ...]:
        """The keys, each once, in their order. Raises SettingsError, which names the variable and holds no key."""
        keys = tuple(dict.fromkeys(key for part in re.split(r"[,\r\n]", text) if (key := part.strip())))
        if not keys:
            raise SettingsError(f"{variable}: must hold at least one key", variables=(variable,))
        if any(not self.shortest <= len(key) <= self.longest for key in keys):
            bounds = f"{self.shortest} to {self.longest}"
            raise SettingsError(f"{variable}: each key must have {bounds} characters", variables=(variable,))
        if any(not re.fullmatch(f"{self.characters}+", key) for key in keys):
            raise SettingsError(f"{variable}: keys must be of ASCII's printable characters", variables=(variable,))
        return keys
