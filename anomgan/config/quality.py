"""What counts as sick data, where data alone cannot tell."""

from typing import Annotated

from pydantic import Field, field_validator

from anomgan.config.table import Table


class QualityConfig(Table):
    """`[quality]`: sensors, clocks and deliveries that are watched before the model."""

    late_s: float = Field(60.0, gt=0)
    """readings that come more than this after their own time, beyond what is usual for the device, are late"""
    skew_s: float = Field(30.0, gt=0)
    """a clock that is further off than this is told; a reading that far ahead of its device's clock is not used"""
    silent_after_s: float | None = Field(None, gt=0)
    """None = ten sampling periods or three of the longest usual gaps, at least 60 s"""
    judge_clocks: bool = True
    """false where event times are not the wall clock's, as in a replay: nothing is ahead, late or in a burst"""
    ranges: dict[str, Annotated[tuple[float, float], Field(strict=False)]] = Field(default_factory=dict)
    """what a channel's sensor can measure, from its data sheet: `flow = [0, 80]`"""
    may_stand_still: tuple[str, ...] = Field((), strict=False)
    """channels that are never called stuck"""
    leave_alone: tuple[str, ...] = Field((), strict=False)
    """channels of which only a range given here is judged"""
    report_s: float = Field(300.0, gt=0)
    """how often the health of a device is written though nothing has changed"""

    @field_validator("ranges")
    @classmethod
    def _not_empty(cls, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for channel, (least, most) in ranges.items():
            if not least < most:
                raise ValueError(f"the range of {channel!r}, {least:g} to {most:g}, is empty")
        return ranges
