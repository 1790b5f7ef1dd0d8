"""Data quality before the model: what is wrong with sensors, clocks and deliveries, told apart from process faults.

limits = learn_limits(normal_series)                   # once, kept with the model
quality = FleetQuality(limits, QualityConfig())
screened = quality.screen(readings, arrivals)          # readings to feed, issues that opened or closed
issues = quality.silent(now_s)                         # every second or so

A service that is sometimes away does both, turn by turn, through a QualityWatch.
"""

from anomgan.config import QualityConfig
from anomgan.quality.fleet import FleetQuality, Screened
from anomgan.quality.limits import ChannelLimits, Limits, learn_limits, limits_from_json, limits_to_json, no_limits
from anomgan.quality.watch import QualityWatch, Watched
from anomgan.records import DeviceHealth, HealthIssue, IssueKind

__all__ = [
    "ChannelLimits",
    "DeviceHealth",
    "FleetQuality",
    "HealthIssue",
    "IssueKind",
    "Limits",
    "QualityConfig",
    "QualityWatch",
    "Screened",
    "Watched",
    "learn_limits",
    "limits_from_json",
    "limits_to_json",
    "no_limits",
]
