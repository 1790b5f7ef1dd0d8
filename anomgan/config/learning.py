"""How a fleet whose `model` is a folder learns by itself."""

from typing import Literal, Self

from pydantic import Field, model_validator

from anomgan.config.table import Table


class LearnConfig(Table):
    """`[fleets.learn]`: when a fleet trains, how, and when a new model takes over."""

    window: int | None = Field(None, ge=16, le=65_536, multiple_of=8)
    """rows per window; None = chosen from the data"""
    steps: int | None = Field(None, ge=1, le=10_000_000)
    """training steps at most; None = chosen from the data"""
    at_least_h: float = Field(0.0, ge=0)
    """hours of history that a training needs, whatever the data say"""
    patience_h: float = Field(72.0, gt=0)
    """hours of history after which it trains although cycles or levels are not complete"""
    keep_rows: int = Field(500_000, ge=1000)
    """rows of history kept on disk for training, of all devices together; the oldest go first"""
    retrain_h: float | None = Field(None, gt=0)
    """hours after which a challenger is trained from newer history, instead of one that still waits; None = only on
    command"""
    shadow_h: float = Field(24.0, gt=0)
    """hours in the shadow before a challenger is judged"""
    promote: Literal["command", "auto"] = "command"
    """who promotes a challenger: a person, or the rule that `anomgan models list` states"""
    say_every_s: float = Field(60.0, gt=0)
    """how often the service says what it still lacks"""

    @model_validator(mode="after")
    def _shadows_end(self) -> Self:
        if self.retrain_h is not None and self.retrain_h < self.shadow_h:
            raise ValueError(
                f"retrain_h = {self.retrain_h:g} replaces a challenger before shadow_h = {self.shadow_h:g}"
            )
        return self
