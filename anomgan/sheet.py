"""A model's sheet: what people want to know of it, as JSON types, for those who have neither its file nor torch."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from anomgan.calibrate import budget_threshold
from anomgan.fit import Fitted, window_rule
from anomgan.game import game_of

VERSION = 1
NETWORKS = ("generator", "encoder", "discriminator")
KEPT = (
    "library_version", "series", "rows", "first_time_s", "last_time_s", "training_windows", "calibration_windows",
    "steps", "best_step", "seconds", "stopped", "device", "suspicious", "devices", "excluded", "course",
    "latent_spread", "reliability",
)  # fmt: skip
"""of the summary; a file of an earlier version lacks some of them, which are None then"""


def model_sheet(fitted: Fitted, bytes_in_file: int) -> dict[str, Any]:
    """The sheet of a model whose file has so many bytes; NaN is None."""
    config, summary, rule = fitted.config, fitted.summary, window_rule(fitted.config)
    stride_s = fitted.period_s * rule.stride
    told: Mapping[str, Any] = {name: summary.get(name) for name in KEPT}
    return {
        **told,
        "version": VERSION,
        "bytes": bytes_in_file,
        "weights": {name: sum(p.numel() for p in getattr(fitted.networks, name).parameters()) for name in NETWORKS},
        "config": config.model_dump(),
        "period_s": fitted.period_s,
        "window": rule.window,
        "stride": rule.stride,
        "stride_s": stride_s,
        "channels": _channels(fitted),
        "witnesses": dict(fitted.weights),
        "alarms_per_week": config.alarms_per_week,
        "alarm_share": fitted.alarm_share,
        "threshold": budget_threshold(config.alarms_per_week, stride_s, fitted.alarm_share),
        "game": {
            name: _known(value) for name, value in asdict(game_of(summary.get("course") or {}, config.loss)).items()
        },
    }


def _channels(fitted: Fitted) -> list[dict[str, Any]]:
    """Each channel: what it is for, where it lies on normal data, and how far off the generator is there."""
    errors = fitted.summary.get("normal_error") or [None] * len(fitted.channels)
    roles = [
        "state" if not judged else "constant" if constant else "counter" if limits.kind == "counter" else "measured"
        for judged, constant, limits in zip(fitted.measured, fitted.scaler.constant, fitted.limits.of, strict=True)
    ]
    rows = zip(
        fitted.channels, fitted.units, roles, fitted.scaler.centre, fitted.scaler.spread, fitted.limits.of, errors,
        strict=True,
    )  # fmt: skip
    return [
        {
            "name": name,
            "unit": unit,
            "role": role if _known(float(centre)) is not None else "without a value",
            "centre": _known(float(centre)),
            "spread": _known(float(spread)),
            "low": _known(limits.low),
            "high": _known(limits.high),
            "error": error,
        }
        for name, unit, role, centre, spread, limits, error in rows
    ]


def _known(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
