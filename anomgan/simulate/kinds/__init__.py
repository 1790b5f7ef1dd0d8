"""The device kinds by name. A new one is a file here, a line in KINDS, and a test of its physics."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from anomgan.simulate.kind import Kind
from anomgan.simulate.kinds.cold_store import COLD_STORE
from anomgan.simulate.kinds.pump import PUMP
from anomgan.simulate.kinds.rotating_machine import ROTATING_MACHINE
from anomgan.simulate.kinds.solar_inverter import SOLAR_INVERTER

KINDS: Mapping[str, Kind[Any, Any, Any]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            PUMP,
            COLD_STORE,
            SOLAR_INVERTER,
            ROTATING_MACHINE,
        )
    }
)
