"""The content of a file that may be larger than memory, or have no end at all, as a device or a pipe has none."""

from os import PathLike
from pathlib import Path

from anomgan.errors import AnomganError


def read_at_most(path: str | PathLike[str], most: int, refusal: type[AnomganError]) -> bytes:
    """The whole content, or the refusal where there is more than `most` bytes of it; OSError as `open` raises it."""
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise refusal(f"{path}: larger than {most / 1e6:,.0f} MB, which it cannot be")
    return content
