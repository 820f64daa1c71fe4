"""Secrets that lie in files, as orchestrators mount them: read again whenever they change."""

from pathlib import Path

from consumer.core.errors import SettingsError


class SecretFile:
    """The text of a file, without the line end behind it. Each use looks whether the file is still the same."""

    def __init__(self, variable: str, path: Path) -> None:
        self._variable, self._path = variable, path
        self._version: tuple[int, ...] | None = None
        self._text = ""

    def read(self) -> str:
        """What it holds now; what it last held while it is away or empty, as it may be for a moment.

        Raises SettingsError, which names the variable, if it has never held anything.
        """
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_ino, found.st_size)
            if version != self._version and (text := self._path.read_text("utf-8").strip()):
                self._version, self._text = version, text
            reason = "is empty"
        except OSError as error:
            reason = f"can't be read ({error.strerror})"
        except ValueError:
            reason = "is no text"
        if not self._text:
            raise SettingsError(f"{self._variable}: the file {reason}", variables=(self._variable,))
        return self._text
