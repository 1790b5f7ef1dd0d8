"""`[adapt]`: how a device's threshold follows what is normal for it."""

from pydantic import Field

from anomgan.config.table import Table

MOST_DECADES = 6.0
"""by which any configuration lets a threshold drift"""


class AdaptConfig(Table):
    """`[adapt]`: each device's threshold follows slow change, so slowly that a fault is not learned meanwhile."""

    hours: float = Field(168.0, ge=0)
    """the time in which a threshold may rise by `decades`; 0 = it stays where the model has it"""
    decades: float = Field(0.5, gt=0, le=3)
    """of probability: what a fault that grows for `hours` can hide, at most"""
    most_decades: float = Field(2.0, ge=0, le=MOST_DECADES)
    """a threshold never rises by more"""
