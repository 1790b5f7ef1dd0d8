"""Every error anomgan raises on purpose, in one small tree.

    AnomganError            anything a caller may want to catch at once
    ├── ConfigError         a configuration is wrong: names the file, table and key
    ├── DataError           input data is wrong: names the file, line and column
    ├── PayloadError        one message cannot be read: carries a short reason to count by
    ├── ModelFileError      a model file is missing, truncated, foreign or too new
    ├── TrainingDiverged    a loss became non-finite
    └── ServerError         a broker or database: names which, where and why
        ├── Unreachable     nobody answers there
        └── Refused         it answers and says no (credentials, bad request)

Commands turn an `AnomganError` into one line on stderr and exit status 2.
"""


class AnomganError(Exception):
    """Anything anomgan raises on purpose."""


class ConfigError(AnomganError):
    """A configuration is wrong; the message names the file, the table and the key."""


class DataError(AnomganError):
    """Input data is wrong; the message names the file, the line and the column."""


class PayloadError(AnomganError):
    """One message cannot be read; `reason` is a short snake_case word that counters use."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModelFileError(AnomganError):
    """A model file is missing, truncated, foreign, or written by a newer version."""


class TrainingDiverged(AnomganError):
    """A training loss became non-finite; the message names the step and the loss."""


class ServerError(AnomganError):
    """A broker or database failed; the message names which, where and why.

    other_version: whether it may be for the version of the protocol that it was spoken to in.
    """

    def __init__(self, message: str, *, other_version: bool = False) -> None:
        super().__init__(message)
        self.other_version = other_version


class Unreachable(ServerError):
    """Nobody answers at that address."""


class Refused(ServerError):
    """The server answers and says no: credentials, permissions or a bad request."""
