"""How a synthesizer is built."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from anomgan.config.game import GameConfig

Ends = Annotated[tuple[float, float], Field(strict=False)]
EndsAndStep = Annotated[tuple[float, float, float], Field(strict=False)]


class SynthesizerConfig(GameConfig):
    """How a synthesizer is built and trained. None = chosen from the data by the rules of `synthesis.fit.choose`.

    With an `epsilon` it is trained with differential privacy, as `synthesis.private_fit` says.
    """

    window: int | None = Field(None, ge=16, le=65_536, multiple_of=8)
    """rows per window; a multiple of 8 from 16 up"""
    conditions: tuple[str, ...] = ()
    """what the data are conditioned on: `hour`, `weekday`, `device`, or columns of theirs"""
    holdout: float = Field(0.2, gt=0, lt=0.9)
    """the last part of the training rows, kept to choose the best step and to calibrate the uncertainty; with an
    epsilon there is none"""
    max_gap_s: float | None = Field(None, gt=0)
    """a longer step starts a new window; None = ten sampling periods"""
    latent: int = Field(32, ge=2, le=256)
    learning_rate: float = Field(3e-3, gt=0)
    discriminator_learning_rate: float | None = Field(1e-3, gt=0)
    adversarial_weight: float = Field(1.0, ge=0)
    ema_decay: float = Field(0.99, ge=0, lt=1)
    patience: int = Field(60, ge=1)
    epsilon: float | None = Field(None, ge=0.01, le=50)
    """differential privacy: how far the odds of a guess about one block of time may move; None = no such promise"""
    delta: float = Field(1e-5, gt=0, lt=0.1)
    """the probability that the promise of epsilon does not hold"""
    max_grad_norm: float = Field(1.0, gt=0)
    """what each real window's gradient is clipped to, with an epsilon"""
    protected_rows: int | None = Field(None, ge=16, le=1_000_000)
    """rows of a block of time, which epsilon is of; None = two windows"""
    ranges: dict[str, Ends | EndsAndStep] = Field(default_factory=dict)
    """with an epsilon, each channel's lowest and highest value and, where it has one, its step, from elsewhere than the
    data: a sensor's data sheet, say"""

    @field_validator("conditions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in value if value.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is named twice")
        return value

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        if self.epsilon is None:
            for name, given in (("protected_rows", self.protected_rows), ("ranges", self.ranges)):
                if given:
                    raise ValueError(f"{name} goes with epsilon")
            return self
        for name, (low, high, *step) in self.ranges.items():
            if low >= high or (step and not 0 < step[0] <= high - low):
                raise ValueError(f"ranges.{name}: {[low, high, *step]} is not a lowest value, a higher one and a step")
        penalty = self.loss == "wgan-gp" if self.gradient_penalty is None else self.gradient_penalty > 0
        for name, asked, why in (
            ("conditions", self.conditions, "how often each condition occurs would have to be private too"),
            ("cycle_weight", self.cycle_weight, "it takes the condition `device`"),
            ("minibatch_statistics", self.minibatch_statistics, "one window would change the gradients of others"),
            ("gradient_penalty", penalty, "it has no gradient of one window alone; 0 is spectral normalisation"),
            ("augmentation", self.augmentation, "the dice that it takes tell how many windows were drawn"),
        ):
            if asked:
                raise ValueError(f"{name} does not go with epsilon: {why}")
        if self.window and self.protected_rows and self.protected_rows < self.window:
            raise ValueError(f"protected_rows = {self.protected_rows} has no room for a window of {self.window} rows")
        return self
