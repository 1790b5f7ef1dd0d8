"""How a synthesizer is built."""

from pydantic import Field, field_validator

from anomgan.config.game import GameConfig


class SynthesizerConfig(GameConfig):
    """How a synthesizer is built and trained. None = chosen from the data by the rules of `synthesis.fit.choose`."""

    window: int | None = Field(None, ge=16, le=65_536, multiple_of=8)
    """rows per window; a multiple of 8 from 16 up"""
    conditions: tuple[str, ...] = ()
    """what the data are conditioned on: `hour`, `weekday`, `device`, or columns of theirs"""
    holdout: float = Field(0.2, gt=0, lt=0.9)
    """the last part of the training rows, kept to choose the best step and to calibrate the uncertainty"""
    max_gap_s: float | None = Field(None, gt=0)
    """a longer step starts a new window; None = ten sampling periods"""
    latent: int = Field(32, ge=2, le=256)
    learning_rate: float = Field(3e-3, gt=0)
    discriminator_learning_rate: float | None = Field(1e-3, gt=0)
    adversarial_weight: float = Field(0.3, ge=0)
    ema_decay: float = Field(0.99, ge=0, lt=1)
    patience: int = Field(60, ge=1)

    @field_validator("conditions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in value if value.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is named twice")
        return value
