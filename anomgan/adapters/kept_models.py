"""Copies of the models that a journal's turns were made with, so that they can be made again after a crash.

Beside the journal, named by content: a model file may be replaced or lost while its turns are still to be made again.
"""

from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from anomgan.adapters.files import read_model_bytes, write_bytes
from anomgan.errors import DataError, ModelFileError


class KeptModels:
    """The folder of copies that belongs to a journal."""

    def __init__(self, journal: str | Path) -> None:
        path = Path(journal)
        self.path = path.with_name(f"{path.stem}-models")

    def put(self, digest: str, content: bytes) -> None:
        """Keep a model, durable on return; DataError where that cannot be done."""
        target = self._file(digest)
        if target.exists():
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be made: {error.strerror}") from None
        write_bytes(target, content)

    def get(self, digest: str) -> bytes:
        """A kept model; ModelFileError where it is not there, or damaged."""
        content = read_model_bytes(self._file(digest))
        if sha256(content).hexdigest() != digest:
            raise ModelFileError(f"{self._file(digest)}: damaged")
        return content

    def keep_only(self, digests: Collection[str]) -> None:
        """Forget all others; DataError where one cannot be removed."""
        for file in self.path.glob("*.safetensors"):
            if file.stem not in digests:
                try:
                    file.unlink(missing_ok=True)
                except OSError as error:
                    raise DataError(f"{file}: cannot be removed: {error.strerror}") from None

    def _file(self, digest: str) -> Path:
        return self.path / f"{digest}.safetensors"
