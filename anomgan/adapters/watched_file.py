"""A small file of the user's that is read again when it changes."""

from pathlib import Path

from anomgan.adapters.bounded import read_at_most
from anomgan.errors import ConfigError

State = tuple[int, int, int] | None


class WatchedFile:
    """The file at `path`, named by `key` in messages; changes are seen by its time, size and identity."""

    def __init__(self, path: str, key: str, most_bytes: int) -> None:
        self._path = Path(path)
        self._key = key
        self._most = most_bytes
        self._seen: State = (0, 0, 0)

    def changed(self) -> bytes | None:
        """Its content where it is not what it was at the last call, else None; ConfigError once for each change that
        cannot be read."""
        try:
            about = self._path.stat()
            now: State = (about.st_mtime_ns, about.st_size, about.st_ino)
        except OSError as error:
            if self._seen is None:
                return None
            self._seen = None
            raise ConfigError(f"{self._key}: cannot read {self._path}: {error.strerror}") from None
        if now == self._seen:
            return None
        self._seen = now
        try:
            return read_at_most(self._path, self._most, ConfigError)
        except OSError as error:
            raise ConfigError(f"{self._key}: cannot read {self._path}: {error.strerror}") from None
        except ConfigError as error:
            raise ConfigError(f"{self._key}: {error}") from None
