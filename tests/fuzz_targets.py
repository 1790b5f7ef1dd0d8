"""What is fuzzed: everything that reads bytes from outside, each with real examples and its laws.

A target takes bytes and says what became of them; it raises where a law is broken. To fuzz something new, give it a
function here and a line in TARGETS: tests/test_fuzz.py and `make fuzz` then take it up.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import orjson
from broker_samples import NOW, mixed_broker
from fuzz_journal import (
    CALENDAR,
    busy_alarms,
    restoring_a_stream,
    restoring_alarms,
    restoring_births,
    restoring_decisions,
    restoring_rows,
    small_detector,
    snapshots,
    unpacking_a_turn,
)
from fuzz_learned import adaptations, restoring_an_adaptation, restoring_quality, watches
from fuzz_simulator import injecting, wishes
from fuzz_synthesizer import (
    headers,
    unpacking_a_synthesizer,
    unpacking_a_synthesizer_s_header,
)
from fuzz_synthesizer import whole as whole_synthesizer
from fuzzing import Target
from sealed_headers import header_of, with_header
from wire_cases import TOPICS, is_sound

from anomgan.adapters.files import read_config
from anomgan.alarms import Alarms
from anomgan.config import AlarmsConfig, DialectName, ServiceConfig
from anomgan.control import Gate, Pass
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError, ModelFileError, PayloadError
from anomgan.model_file import pack, unpack
from anomgan.recognise import Sample, Watch, recognise
from anomgan.records import Reading
from anomgan.wire import Decoder, PayloadFormat, encode, parse_template
from anomgan.wire.control import encode_answer, named_transaction, signature
from anomgan.wire.conventions import CONVENTIONS
from anomgan_detector.requests import Asked, Requests

LONGEST_MESSAGE = 1000
CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A target with its seeds, both made when they are asked for; `cost` = microseconds of one payload, roughly."""

    make: Callable[[], Target]
    seeds: Callable[[], list[bytes]]
    cost: int = 100


# ---------------------------------------------------------------- dialects


def decoding(dialect: DialectName) -> Target:
    """Law: a payload is read into sound readings, or refused for a reason; births stay bounded."""
    decoder = Decoder(PayloadFormat(parse_template(CONVENTIONS[dialect].topic), dialect))
    topics = {True: TOPICS[dialect], False: TOPICS[dialect].replace("DDATA", "DBIRTH")}

    def decode(payload: bytes) -> str:
        topic = topics[len(payload) % 3 > 0]
        try:
            decoded = decoder.decode(topic, payload, NOW)
        except PayloadError as error:
            assert error.reason.replace("_", "").isalpha()  # noqa: PT017 one of the two allowed outcomes
            assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017 the same: a line for the log is short
            return error.reason
        assert is_sound(decoded, may_be_empty="BIRTH" in topic), decoded
        return "read"

    return decode


def payloads_of(dialect: DialectName) -> list[bytes]:
    """What the dialect itself writes, and what is known from the field."""
    values = {"flow": 1.5, "motor.temp": 60.25}
    sent = [Reading("p1", NOW + second, values, "north") for second in range(3)]
    written = [
        body for _, body in encode(dialect, sent, CONVENTIONS[dialect].topic.replace("/+", "", dialect == "influx"))
    ]
    known = [sample.payload for sample in mixed_broker(2) if CONVENTIONS[dialect].topic.split("/")[0] in sample.topic]
    return list(dict.fromkeys([*written, *known, b"", b"20.5", b"{}", b"[]"]))


def recognising(payload: bytes) -> str:
    """Law: whatever is on a broker, every message is told of once."""
    watch = Watch()
    for topic in ("plant/p1/telemetry", "x/temperature", "spBv1.0/g/DDATA/e/d", "one"):
        watch.add(Sample(topic, payload, False, NOW))
    found = recognise(watch)
    told = sum(one.messages for one in (*found.fleets, *found.not_understood))
    assert told + sum(found.set_aside.values()) + found.beyond == 4
    return f"{len(found.fleets)} fleets"


# ---------------------------------------------------------------- control


def asking() -> Target:
    """Law: a request is refused for a reason, or done and answered as JSON. A payload is the command, a line end, and
    the body, which is also tried signed."""
    requests = Requests(Alarms(AlarmsConfig()), ())
    gates = [Gate(Pass(secret, 60.0)) for secret in ("", "sixteen letters!")]

    def ask(payload: bytes) -> str:
        head, _, body = payload.partition(b"\n")
        name, text = head.decode("utf-8", "replace"), body.decode("utf-8", "replace")
        signed = orjson.dumps({"body": text, "signature": signature(gates[1].rule.secret, name, text)})
        outcomes = []
        for gate, request in ((gates[0], body), (gates[1], signed), (gates[1], body)):
            transaction = named_transaction(request)
            try:
                asked = gate.admit(name, request, NOW)
                done = requests.do(Asked(asked.command, asked.client, NOW))
            except PayloadError as error:
                assert error.reason.replace("_", "").isalpha()  # noqa: PT017 one of the three allowed outcomes
                orjson.loads(encode_answer(transaction, {}, str(error)))
                outcomes.append(error.reason)
            except DataError as error:
                orjson.loads(encode_answer(transaction, {}, str(error)))
                outcomes.append("cannot")
            else:
                assert asked.transaction == transaction
                orjson.loads(encode_answer(transaction, done.data))
                outcomes.append("done")
        assert outcomes[2] != "done" or body == signed, "who has no secret was let in"
        return outcomes[0]

    return ask


def small_requests() -> list[bytes]:
    """One of every command, with what every body may have."""
    about = b'"transaction": "t1", "client": "ada", "time": %d, "nonce": "0123456789"}' % NOW
    return [
        b"status\n{" + about,
        b'events\n{"limit": 3, ' + about,
        b'mute\n{"device": "pump-*", "site": "*", "channels": ["flow"], "for_s": 60, ' + about,
        b'mute\n{"device": "p1", "for_s": 0}',
        b'unmute\n{"device": "pump-*", "channels": ["flow"], ' + about,
        b'feedback\n{"device": "p1", "says": "false-alarm", ' + about,
        b'undo\n{"event": "p1@1", ' + about,
        b"status\n",
    ]


# ---------------------------------------------------------------- files


def reading_a_config() -> Target:
    """Law: a file is a configuration, or a ConfigError whose every line names it."""
    path = Path(tempfile.mkdtemp(prefix="anomgan-fuzz-")) / "fuzzed.toml"

    def read(content: bytes) -> str:
        path.write_bytes(content)
        try:
            read_config(path, ServiceConfig)
        except ConfigError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 one of the two allowed outcomes
            return "refused"
        return "accepted"

    return read


def small_configs() -> list[bytes]:
    """A short one of every kind, so that a change hits something, and what tomllib itself has trouble with."""
    fleet = b'[[fleets]]\nmodel = "m"\ntopic = "a/{device}"\n'
    store = b'[store.sqlite]\npath = "x.db"\n'
    return [
        fleet + store,
        fleet + b'devices = ["p*"]\ndialect = "array"\nalarms_per_week = 0.5\n' + store + b"[broker]\nport = 1883\n",
        store + b"[input]\nflush_s = 0.25\n" + fleet + b"[decide]\nchannels = 3\n[publish]\nqos = 0\n",
        b"a = " + b"[" * 3000,
        b"[broker]\nport = 0x" + b"f" * 5000,
        b"[broker]\nport = " + b"9" * 5000,
        b"a." * 3000 + b"b = 1979-05-27T07:32:00Z",
    ]


def unpacking(content: bytes) -> str:
    """Law: a model file is refused with a ModelFileError, or it is a detector that scores."""
    try:
        detector = Detector(unpack(content, "x"))
    except ModelFileError as error:
        assert str(error).startswith("x: ")  # noqa: PT017 one of the two allowed outcomes
        return "refused"
    scores = detector.score_windows(np.zeros((1, len(detector.channels), detector.rule.window)))
    assert np.isfinite(scores).all()
    return "loaded"


def unpacking_a_header(header: bytes) -> str:
    """The same for a file whose tensors are whole and whose header is anything."""
    return unpacking(with_header(pack(small_detector().parts), header))


TARGETS: Mapping[str, Fuzzed] = {
    **{f"dialect {name}": Fuzzed(partial(decoding, name), partial(payloads_of, name)) for name in CONVENTIONS},
    "recognise": Fuzzed(lambda: recognising, lambda: [sample.payload for sample in mixed_broker(1)], 2000),
    "control": Fuzzed(asking, small_requests, 300),
    "simulator": Fuzzed(injecting, wishes, 300),
    "config": Fuzzed(reading_a_config, lambda: [*small_configs(), (CONFIGS / "detector.toml").read_bytes()], 3000),
    "model file": Fuzzed(lambda: unpacking, lambda: [pack(small_detector().parts)], 10_000),
    "model header": Fuzzed(lambda: unpacking_a_header, lambda: [header_of(pack(small_detector().parts))], 20_000),
    "synthesizer's file": Fuzzed(lambda: unpacking_a_synthesizer, lambda: [whole_synthesizer()], 20_000),
    "synthesizer's header": Fuzzed(lambda: unpacking_a_synthesizer_s_header, headers, 20_000),
    "journal: stream": Fuzzed(lambda: restoring_a_stream, lambda: [snapshots()["stream"]], 2000),
    "journal: decisions": Fuzzed(lambda: restoring_decisions, lambda: [snapshots()["decisions"]], 2000),
    "journal: rows": Fuzzed(lambda: restoring_rows, lambda: [snapshots()["rows"]]),
    "journal: births": Fuzzed(lambda: restoring_births, lambda: [snapshots()["births"]]),
    "journal: alarms": Fuzzed(
        lambda: restoring_alarms, lambda: [busy_alarms(calendar).snapshot() for calendar in (b"", CALENDAR)], 4000
    ),
    "journal: quality": Fuzzed(lambda: restoring_quality, watches, 10_000),
    "journal: adaptation": Fuzzed(lambda: restoring_an_adaptation, adaptations, 10_000),
    "journal: turn": Fuzzed(lambda: unpacking_a_turn, lambda: [snapshots()["turn"]]),
}
