"""What a broker carries, for the tests of recognition: real payloads of every dialect, and the file that is written
from them read as the detector service reads it."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from test_wire_chirpstack import APPLICATION, EVENT
from test_wire_sparkplug_b import BIRTH, DBIRTH, DDATA, NBIRTH, metric, payload
from test_wire_things_stack import MESSAGE, UPLINK

from anomgan.config import BrokerConfig, FleetConfig, ServiceConfig, parse_config
from anomgan.errors import PayloadError
from anomgan.recognise import Findings, Sample, Watch, config_text, recognise
from anomgan.records import Reading
from anomgan.wire import Decoder, PayloadFormat, parse_template

NOW = 1_750_000_000.0
PAYLOADS: Mapping[str, str] = {
    "zigbee2mqtt/cellar": '{"battery":91,"humidity":44.7%d,"linkquality":120,"pressure":1008.4,"temperature":27.34}',
    "tele/pow1/SENSOR": """{"Time":"2018-02-15T17:37:10","ENERGY":{"TotalStartTime":"2018-11-14T18:39:40",
        "Total":6.294,"Yesterday":5.340,"Power":263%d,"Voltage":227,"Current":11.661}}""",
    "telegraf/host1/cpu": "cpu,cpu=cpu-total,host=host1 usage_idle=91.%d,usage_user=3 {ns}",
    "telegraf/host1/mem": "mem,host=host1 used_percent=41.%d {ns}",
    "senml/p1": """[{"bn":"urn:dev:ow:10e2073a01080063:","bt":{s},"n":"voltage","u":"V","v":120.%d},
        {"n":"current","u":"A","v":1.2}]""",
    "plant/north/pump-1/telemetry": '{"ts": {s}, "flow": 31.%d, "pressure": 2.9}',
    "plant/north/pump-2/telemetry": '{"ts": {s}, "flow": 30.%d, "pressure": 2.8}',
    "plant/south/pump-1/telemetry": '{"ts": {s}, "flow": 29.%d, "pressure": 2.7}',
    "works/press-1/data": '{"timestamp": {ms}, "motor": {"current": 8.%d, "temp": 60.5}, "oil": {"temp": 41}}',
    "house/bath/humidity": "5%d.5",
    "house/bath/temperature": "21.%d",
    "house/hall/temperature": "19.%d",
    "batch/line": '[{"id":"oven-1","time":"{iso}","heat":20%d},{"id":"oven-2","time":"{iso}","heat":19%d}]',
    "table/rig-1/values": '{"t":[{ms},{ms}5],"force":[1.%d,2.%d],"way":[3,4]}',
}
"""topic -> payload, where %d counts and {s}, {ms}, {ns}, {iso} are the time"""
ASIDE: Mapping[str, bytes] = {
    "homeassistant/sensor/cellar/temperature/config": b'{"unique_id":"x","state_topic":"zigbee2mqtt/cellar"}',
    "tele/pow1/LWT": b"Online",
    "tele/pow1/STATE": b'{"Time":"2018-02-15T17:37:10","Uptime":"1T","Vcc":3.1,"Wifi":{"RSSI":80}}',
    "zigbee2mqtt/bridge/info": b'{"version":"1.0","permit_join":false}',
    "zigbee2mqtt/cellar/availability": b'{"state":"online"}',
    "anomgan/status": b"online",
    "anomgan/pump-1/event": b'{"id":"x","peak":3.5}',
    "spBv1.0/plant/NDEATH/edge": b"\x08\x01",
    f"application/{APPLICATION}/device/0101010101010101/event/join": b'{"devAddr":"00189440"}',
    "$SYS/broker/uptime": b"5 seconds",
}


def written(template: str, number: int, at_s: float) -> bytes:
    """One payload at a time."""
    digits = template.replace("%d", str(number % 10)).replace("{ns}", f"{at_s * 1e9:.0f}")
    whole = digits.replace("{ms}5", f"{at_s * 1e3 + 500:.0f}").replace("{ms}", f"{at_s * 1e3:.0f}")
    return whole.replace("{s}", repr(at_s)).replace("{iso}", f"2025-06-15T15:06:{at_s - NOW + 40:02.0f}Z").encode()


def mixed_broker(seconds: int = 8) -> list[Sample]:
    """All dialects on one broker, a message a second on every topic, and what else is there."""
    samples = [Sample(topic, body, retained, NOW) for retained, (topic, body) in enumerate(ASIDE.items())]
    samples = [sample._replace(retained=bool(sample.retained)) for sample in samples]
    names = payload(metric(name="bdSeq", timestamp=int(NOW * 1e3), datatype=4, long=0))
    samples += [Sample(NBIRTH, names, False, NOW), Sample(DBIRTH, BIRTH, False, NOW)]
    for number in range(seconds):
        at_s = NOW + number
        for topic, template in PAYLOADS.items():
            samples.append(Sample(topic, written(template, number, at_s), False, at_s))
        event = EVENT | {"time": f"2025-06-15T15:06:{40 + number}Z", "object": {"soil": {"moisture": 30 + number}}}
        uplink = UPLINK | {"received_at": f"2025-06-15T15:06:{40 + number}.5Z"}
        data = payload(metric(alias=1, timestamp=int(at_s * 1e3), double=61.0 + number), timestamp=int(at_s * 1e3))
        for topic, body in (
            (f"application/{APPLICATION}/device/0101010101010101/event/up", json.dumps(event).encode()),
            ("v3/app1@ttn/devices/dev1/up", json.dumps(MESSAGE | {"uplink_message": uplink}).encode()),
            (DDATA, data),
        ):
            samples.append(Sample(topic, body, False, at_s))
    return samples


def found_in(samples: Iterable[Sample]) -> Findings:
    """What is recognised in samples."""
    watch = Watch()
    for sample in samples:
        watch.add(sample)
    return recognise(watch)


def as_config(findings: Findings, **broker: object) -> ServiceConfig:
    """The file that is written, read again."""
    text = config_text(findings, BrokerConfig.model_validate(broker), "detector.toml")
    return parse_config(ServiceConfig, tomllib.loads(text), "detector.toml")


class Read:
    """What a configuration makes of samples: readings, and how many messages it takes, refuses and leaves alone."""

    def __init__(self, fleets: Iterable[FleetConfig], samples: Iterable[Sample]) -> None:
        self.readings: list[Reading] = []
        self.count: Counter[str] = Counter()
        decoders = [
            (one, Decoder(PayloadFormat(parse_template(one.topic), one.dialect, one.time_key, one.time_unit,
                                        one.device_key)))
            for one in fleets
        ]  # fmt: skip
        for sample in samples:
            taking = (decoder for fleet, decoder in decoders if takes(fleet, decoder, sample.topic))
            decoder = next(taking, None)
            if decoder is None:
                self.count["left alone"] += 1
                continue
            try:
                self.readings += decoder.decode(sample.topic, sample.payload, sample.arrival_s).readings
                self.count["read"] += 1
            except PayloadError:
                self.count["refused"] += 1

    def cells(self) -> set[tuple[str, str, str, float]]:
        """(site, device, channel, value) of all that was read."""
        return {(r.site, r.device, name, value) for r in self.readings for name, value in r.values.items()}


def takes(fleet: FleetConfig, decoder: Decoder, topic: str) -> bool:
    """The service's rule of which fleet a message belongs to, in plain words."""
    if not decoder.matches(topic):
        return False
    try:
        address = decoder.locate(topic)
    except PayloadError:
        return True
    if address is None or fleet.device_key:
        return True
    return any(fnmatchcase(address.device, shape) for shape in fleet.devices)
