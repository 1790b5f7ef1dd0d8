"""The device kinds by name. A new one is a file here, a line in KINDS, and a test of its physics."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from anomgan.simulate.kind import Kind
from anomgan.simulate.kinds.air_handler import AIR_HANDLER
from anomgan.simulate.kinds.air_quality import AIR_QUALITY
from anomgan.simulate.kinds.cold_store import COLD_STORE
from anomgan.simulate.kinds.pump import PUMP
from anomgan.simulate.kinds.rotating_machine import ROTATING_MACHINE
from anomgan.simulate.kinds.smart_meter import SMART_METER
from anomgan.simulate.kinds.solar_inverter import SOLAR_INVERTER
from anomgan.simulate.kinds.water_tank import WATER_TANK

EVERY = (PUMP, COLD_STORE, AIR_HANDLER, WATER_TANK, SOLAR_INVERTER, ROTATING_MACHINE, AIR_QUALITY, SMART_METER)
KINDS: Mapping[str, Kind[Any, Any, Any]] = MappingProxyType({kind.name: kind for kind in EVERY})
