"""When a sensor begins to speak in another unit: the usual conversions, and how one is told from a process that jumps.

Where the channel's unit is known, these are the other units of its kind; where it is not, those that are mixed up most.
Powers of ten are always among them: a decimal point lost, registers in tenths, milli for kilo. Factors nearer to 1
than 2 (hp for kW, mph for km/h) are left out: processes do that.

A jump that fits a conversion is a suspicion at first. In another unit all later moves grow by its factor too; of a
process that jumped they stay.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

NEAR = 2.0
CONFIRM = 16
"""readings of a suspicion that decide"""
FEW_MOVES = 4
LONGEST = 64
"""readings of a suspicion where moves would tell, were there any"""
TELLING = 5.0
"""a factor farther from 1 than this shows in the moves"""
ENOUGH = 8.0
"""divided by the logarithm of a factor and squared: moves that tell a unit from a process"""
TIGHT = 0.03
"""a conversion has to explain a jump to within this share of it"""

KINDS: tuple[dict[str, tuple[float, float]], ...] = (
    {"°C": (1.0, 0.0), "°F": (1.8, 32.0), "K": (1.0, 273.15)},
    {"bar": (1.0, 0.0), "psi": (14.503774, 0.0), "kPa": (100.0, 0.0), "mbar": (1e3, 0.0), "MPa": (0.1, 0.0)}
    | {"Pa": (1e5, 0.0), "hPa": (1e3, 0.0), "mmHg": (750.06168, 0.0), "inHg": (29.529983, 0.0)},
    {"m/s": (1.0, 0.0), "km/h": (3.6, 0.0), "mph": (2.2369363, 0.0), "kn": (1.9438445, 0.0), "ft/s": (3.2808399, 0.0)},
    {"m³/h": (1.0, 0.0), "l/min": (16.666667, 0.0), "l/s": (0.27777778, 0.0), "l/h": (1e3, 0.0)}
    | {"gal/min": (4.4028675, 0.0), "m³/s": (2.7777778e-4, 0.0)},
    {"m": (1.0, 0.0), "cm": (100.0, 0.0), "mm": (1e3, 0.0), "ft": (3.2808399, 0.0), "in": (39.370079, 0.0)},
    {"kW": (1.0, 0.0), "W": (1e3, 0.0), "MW": (1e-3, 0.0), "hp": (1.3410221, 0.0)},
    {"kWh": (1.0, 0.0), "Wh": (1e3, 0.0), "MWh": (1e-3, 0.0), "MJ": (3.6, 0.0)},
    {"rpm": (1.0, 0.0), "Hz": (1.0 / 60.0, 0.0), "rad/s": (0.10471976, 0.0)},
    {"kg": (1.0, 0.0), "g": (1e3, 0.0), "t": (1e-3, 0.0), "lb": (2.2046226, 0.0)},
    {"°": (1.0, 0.0), "rad": (0.017453293, 0.0)},
)
"""Units of one kind: how much of each, (scale, offset), the first unit's 1 is."""

ALIASES = {
    **{"C": "°C", "degC": "°C", "celsius": "°C", "F": "°F", "degF": "°F", "kelvin": "K", "m3/h": "m³/h"},
    **{"m3/s": "m³/s", "L/min": "l/min", "l/m": "l/min", "lpm": "l/min", "L/s": "l/s", "L/h": "l/h", "gpm": "gal/min"},
    **{"mBar": "mbar", "Bar": "bar", "PSI": "psi", "kmh": "km/h", "kph": "km/h", "knots": "kn", "deg": "°"},
    **{"1/min": "rpm", "RPM": "rpm"},
}
POWERS = (1000.0, 0.001, 100.0, 0.01, 10.0, 0.1, 1e6, 1e-6)
MIXED_UP = (
    *(("°C", "°F"), ("°F", "°C"), ("°C", "K"), ("K", "°C"), ("bar", "psi"), ("psi", "bar"), ("m/s", "km/h")),
    *(("km/h", "m/s"), ("m", "ft"), ("ft", "m"), ("in", "mm"), ("mm", "in"), ("m³/h", "l/min"), ("l/min", "m³/h")),
    *(("rpm", "Hz"), ("Hz", "rpm")),
)


class Conversion(NamedTuple):
    """Another unit's reading of the same thing: scale * x + offset; `says` completes "as if ..."."""

    scale: float
    offset: float
    says: str

    def back(self, value: float) -> float:
        """What the channel's own unit would read."""
        return (value - self.offset) / self.scale


def conversions(unit: str) -> tuple[Conversion, ...]:
    """What a channel of that unit ("" = unknown) may be taken for; each scale and offset once."""
    name = ALIASES.get(unit, unit)
    kind = next((kind for kind in KINDS if name in kind), None)
    if kind is not None:
        found = [_between(kind, name, other) for other in kind if other != name]
    elif name:
        found = []
    else:
        found = [_between(next(kind for kind in KINDS if a in kind), a, b) for a, b in MIXED_UP]
    found = [conversion for conversion in found if conversion.offset or not 1 / NEAR < conversion.scale < NEAR]
    found += [Conversion(power, 0.0, _times(power)) for power in POWERS]
    once: dict[tuple[float, float], Conversion] = {}
    for conversion in found:
        once.setdefault((float(f"{conversion.scale:.4g}"), float(f"{conversion.offset:.4g}")), conversion)
    return tuple(once.values())


def _between(kind: dict[str, tuple[float, float]], given: str, sent: str) -> Conversion:
    """From one unit of a kind to another."""
    (own_scale, own_offset), (scale, offset) = kind[given], kind[sent]
    ratio = scale / own_scale
    return Conversion(ratio, offset - ratio * own_offset, f"{sent} were sent for {given}")


def _times(power: float) -> str:
    said = f"multiplied by {power:.15g}" if power > 1 else f"divided by {1 / power:.15g}"
    return f"the number were {said}"


def explain_jump(known: Sequence[Conversion], before: float, value: float, tolerance: float) -> int | None:
    """Index of the conversion that makes `value` of `before` to within a tolerance in the channel's own unit."""
    miss = [abs(conversion.back(value) - before) for conversion in known]
    best = min(range(len(known)), key=miss.__getitem__)
    tight = TIGHT * abs(value - before) / abs(known[best].scale)
    return best if miss[best] <= min(tolerance, tight) else None


def believe(conversion: Conversion, step: float, seen: int, moved: int, way: float) -> bool | None:
    """Whether another unit explains `moved` moves that add up to `way`, in the channel's own unit; None = not yet.

    Whether the moves have the usual size, `step`, or that divided by the factor, decides on a logarithmic scale; the
    nearer the factor is to 1, the more of them it takes. CONFIRM readings decide by what moves there are; where the
    factor is too near to 1, or there are too few, only the level speaks, and longer.
    """
    factor = abs(conversion.scale)
    telling = not 1.0 / TELLING < factor < TELLING
    enough = max(FEW_MOVES, (ENOUGH / math.log(factor)) ** 2) if telling else math.inf
    if moved >= enough or (telling and moved >= FEW_MOVES and seen > CONFIRM):
        size, middle = way / moved / step, 1.0 / math.sqrt(factor)
        return size > middle if factor > 1 else size < middle
    return True if seen > (LONGEST if telling else CONFIRM) else None
