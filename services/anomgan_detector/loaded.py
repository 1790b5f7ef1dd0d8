"""Model files in memory: a detector's, and that of a synthesizer beside it."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from anomgan.adapters.files import read_model_bytes
from anomgan.detector import Detector
from anomgan.model_file import unpack
from anomgan.synthesis.model_file import unpack as unpack_synthesizer
from anomgan.synthesis.synthesizer import Synthesizer


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file in memory: its content, the SHA-256 of that, and the name that verdicts carry."""

    name: str
    content: bytes
    digest: str
    detector: Detector


@dataclass(frozen=True, slots=True, eq=False)
class SynthesizerFile:
    """Likewise that of a synthesizer, which says what events should have looked like."""

    name: str
    content: bytes
    digest: str
    synthesizer: Synthesizer


def read_model(path: str | Path, name: str = "") -> Model:
    """The model in a file, all checked; raises ModelFileError."""
    return model_of(read_model_bytes(path), str(path), name or Path(path).stem)


def model_of(content: bytes, where: str, name: str) -> Model:
    """The model in these bytes, all checked; ModelFileError names `where`."""
    return Model(name, content, sha256(content).hexdigest(), Detector(unpack(content, where)))


def read_synthesizer(path: str | Path) -> SynthesizerFile:
    """The synthesizer in a file, all checked; raises ModelFileError."""
    return synthesizer_of(read_model_bytes(path), str(path), Path(path).stem)


def synthesizer_of(content: bytes, where: str, name: str) -> SynthesizerFile:
    """The synthesizer in these bytes, all checked; ModelFileError names `where`."""
    return SynthesizerFile(name, content, sha256(content).hexdigest(), Synthesizer(unpack_synthesizer(content, where)))
