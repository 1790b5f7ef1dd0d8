"""How a detector is built, and how its verdicts become events."""

from pydantic import Field

from anomgan.config.game import GameConfig
from anomgan.config.table import Table


class DetectorConfig(GameConfig):
    """How a detector is built and trained. None = chosen from the data by the rules of `fit.choose`."""

    window: int | None = Field(None, ge=16, le=65_536, multiple_of=8)
    """rows per window; a multiple of 8 from 16 up"""
    stride: int | None = Field(None, ge=1, le=65_536)
    """rows between two scored windows"""
    holdout: float = Field(0.25, gt=0, lt=0.9)
    """the last part of the training rows, kept for calibration"""
    alarms_per_week: float = Field(1.0, gt=0)
    """the alarm budget of one device"""
    max_gap_s: float | None = Field(None, gt=0)
    """a longer step starts a new window; None = ten sampling periods"""
    max_hold: int | None = Field(None, ge=0, le=1_000_000)
    """rows a missing value is held for before the channel counts as missing; None = a quarter window"""


class DecideConfig(Table):
    """`[decide]`: how verdicts become events."""

    open_after: int = Field(2, ge=1)
    """anomalous verdicts in a row that open an event"""
    open_after_s: float = Field(0.0, ge=0)
    """the time from the first to the last of them, at least"""
    close_after: int | None = Field(None, ge=1)
    """verdicts in a row below the closing level that close it; None = those of one window, for so long it remembers"""
    close_level: float = Field(0.7, gt=0, le=1)
    """the closing level, as a fraction of the threshold (hysteresis)"""
    channels: int = Field(3, ge=1)
    """contributing channels named by an event"""
