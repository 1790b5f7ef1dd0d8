"""`[alarms]`: which events are told, and when."""

from pydantic import Field

from anomgan.config.table import Table


class AlarmsConfig(Table):
    """`[alarms]`: events that are held back, put together, or not told at all. Everything is stored."""

    cool_down_s: float = Field(0.0, ge=0)
    """what opens so soon after an event of the same device is the same event going on, told only if it is worse"""
    maintenance_file: str = ""
    """an iCalendar file; "" = none"""
    fleet_share: float = Field(0.3, ge=0, le=1)
    """events in this share of a fleet's active devices at once are told as one; 0 = never"""
    fleet_min: int = Field(5, ge=2)
    """and in so many devices at least"""
    fleet_span_s: float = Field(60.0, gt=0)
    """at once = starting within so many seconds of each other, by event time"""
    fleet_hold_s: float = Field(5.0, ge=0)
    """a single event waits so long before it is told, in case it is one of many"""
