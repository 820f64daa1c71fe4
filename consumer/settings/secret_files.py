"""Secrets that lie in files, as orchestrators mount them: read again whenever they change."""

import stat
from pathlib import Path

from consumer.core.errors import SettingsError

MAX_BYTES = 64 << 10  # a chain of certificates is the longest that anybody has


class SecretFile:
    """The text of a file, without the line ends behind it. Each use looks whether the file is still the same.

    Thread-safe, and may be pickled: whoever unpickles it reads the file anew.
    """

    def __init__(self, variable: str, path: Path) -> None:
        self._variable, self._path = variable, path
        self._held: tuple[tuple[int, ...], str] = ((), "")  # one value, so that no thread sees half of a change

    def __getstate__(self) -> tuple[str, Path]:
        return self._variable, self._path

    def __setstate__(self, state: tuple[str, Path]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def read(self) -> str:
        """What it holds now; what it last held while it is away or can't be used, as it may be for a moment.

        Raises SettingsError, which names the variable and never what the file holds, if it has never held anything.
        """
        reason = ""
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_ino, found.st_size)
            if version != self._held[0]:
                text, reason = self._load(found.st_mode)
                if not reason:
                    self._held = version, text
        except OSError as error:
            reason = f"can't be read ({error.strerror})"
        if not self._held[1]:
            raise SettingsError(f"{self._variable}: the file {reason}", variables=(self._variable,))
        return self._held[1]

    def _load(self, mode: int) -> tuple[str, str]:
        """Its text, and why that is none, "" where it is one."""
        if not stat.S_ISREG(mode):  # a pipe would be waited for, and can't be read again
            return "", "is no regular file"
        with self._path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return "", f"is longer than {MAX_BYTES} bytes"
        try:
            text = content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            return "", "is no text"
        if "\0" in text:  # whoever is given it would take what is before for the whole
            return "", "is no text"
        return text, "" if text.strip() else "is empty"
