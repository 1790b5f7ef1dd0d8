"""Bad input, tried hard: a few thousand payloads for everything that reads bytes; `make fuzz` tries a million.

The laws stand with the targets in fuzz_targets.py. Here too: nothing that a payload holds is lost uncounted, a large
payload of any sort comes to an end, and a model file cannot make anything run.
"""

import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from fuzz_journal import small_detector
from fuzz_targets import TARGETS, Fuzzed
from fuzzing import BrokenLaw, fuzz, mutated
from hypothesis import given, settings
from wire_cases import DOCUMENTS, EXAMPLES, NOW, TOPICS, decoder_of, read_or_refuse

from anomgan.config import DialectName
from anomgan.errors import PayloadError
from anomgan.model_file import pack
from anomgan.wire import DIALECTS, Decoded
from anomgan.wire.nested import DEEPEST

PAYLOADS, FEWER = 150, 60


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_read_or_refused_and_breaks_no_law(name: str) -> None:
    target = TARGETS[name]
    executions = PAYLOADS if target.cost <= 3000 else FEWER
    result = fuzz(target.make(), target.seeds(), executions, trace_every=3)
    assert result.executions == sum(result.outcomes.values()) == executions
    assert len(result.outcomes) > 1, "what is mutated is neither always read nor always refused"
    assert result.corpus >= len(target.seeds())


def test_the_fuzzer_finds_what_is_planted_and_says_with_which_payload() -> None:
    def brittle(payload: bytes) -> str:
        if payload.startswith(b"[") and b"9999" in payload:
            raise IndexError("planted")
        return "read"

    with pytest.raises(BrokenLaw, match=r"IndexError: planted\npayload: b'\[.*9999"):
        fuzz(brittle, [b"[1, 2]", b"{}"], 20_000)


def test_a_corpus_grows_by_what_reaches_new_lines() -> None:
    flat = TARGETS["dialect flat"]
    result = fuzz(flat.make(), [b"{}"], 1500)
    assert result.corpus > 5
    assert result.lines > 40
    assert result.outcomes["read"] > 20  # from an object without any field, by mutation alone


def test_the_same_seed_tries_the_same_payloads() -> None:
    def tried(seed: int) -> list[bytes]:
        dice = random.Random(seed)
        return [mutated(b'{"ts": 1, "flow": [1, 2]}', [b"x"], dice) for _ in range(50)]

    assert tried(1) == tried(1) != tried(2)


# ---------------------------------------------------------------- nothing is lost uncounted


def fields_of(document: Mapping[str, object], depth: int = 1) -> int:
    """How many innermost fields an object has; one that lies too deep is one field, an empty object none."""
    count = 0
    for value in document.values():
        inner = isinstance(value, dict)
        count += fields_of(value, depth + 1) if inner and depth < DEEPEST else 1  # type: ignore[arg-type]  # it is one
    return count


def told(decoded: Decoded) -> int:
    """Values read and fields or rows dropped, together."""
    return sum(len(reading.values) for reading in decoded.readings) + sum(decoded.dropped.values())


def decoded(dialect: DialectName, document: object) -> Decoded | None:
    try:
        return decoder_of(dialect).decode(TOPICS[dialect], orjson.dumps(document), NOW)
    except PayloadError:
        return None


def as_json(document: object) -> Any:
    """The document as it comes out of a payload, `...` where JSON has no words for it; infinity is null there."""
    try:
        return orjson.loads(orjson.dumps(document))
    except orjson.JSONEncodeError:
        return ...


payloads = DOCUMENTS.map(as_json)
objects = payloads.filter(lambda document: isinstance(document, dict))


@given(objects)
@settings(max_examples=4 * EXAMPLES)
def test_every_field_of_an_object_is_a_value_or_counted(document: dict[str, object]) -> None:
    flat = decoded("flat", document)
    if flat is not None:
        assert told(flat) == len(document) - ("ts" in document)
    nested = decoded("nested", document)
    if nested is not None:
        assert told(nested) == fields_of(document) - (not isinstance(document.get("ts", {}), dict))


@given(payloads.filter(lambda document: isinstance(document, list)))
@settings(max_examples=4 * EXAMPLES)
def test_an_array_is_its_elements_one_by_one(document: list[object]) -> None:
    whole = decoded("array", document)
    readings, dropped = [], Counter[str]()
    for element in document:
        try:
            one = decoder_of("flat").decode(TOPICS["flat"], orjson.dumps(element), NOW)
        except PayloadError as error:
            dropped[error.reason] += 1
            continue
        readings += one.readings
        dropped.update(one.dropped)
    if whole is None:
        assert not readings
    else:
        assert repr(whole.readings) == repr(readings)
        assert Counter(whole.dropped) == dropped


@given(objects.map(lambda document: {name: [value, 1.0] for name, value in document.items()} | {"ts": [NOW, NOW + 1]}))
@settings(max_examples=4 * EXAMPLES)
def test_every_cell_of_a_table_is_a_value_missing_or_counted(document: dict[str, list[object]]) -> None:
    table = decoded("columnar", document)
    if table is None:
        assert len(document) == 1
        return
    missing = sum(math.isnan(value) for reading in table.readings for value in reading.values.values())
    nulls = sum(column[0] is None for column in document.values())
    assert missing - nulls == sum(table.dropped.values())
    assert sum(len(reading.values) for reading in table.readings) == 2 * (len(document) - 1)


# ---------------------------------------------------------------- large payloads

SIZE = 100_000


def filled(piece: bytes, size: int = SIZE) -> bytes:
    return (piece * (size // len(piece) + 1))[:size]


def listed(element: bytes) -> bytes:
    return b"[" + filled(element + b",").rpartition(b",")[0] + b"]"


HOSTILE: Mapping[str, Callable[[], bytes]] = {
    "deep arrays": lambda: b"[" * SIZE,
    "deep objects": lambda: filled(b'{"a":'),
    "as deep as JSON is read": lambda: b'{"a":' * 900 + b"1" + b"}" * 900,
    "many that are deep": lambda: listed(b"[" * 500 + b"]" * 500),
    "a whole number without end": lambda: b"9" * SIZE,
    "a time without end": lambda: b'{"ts":' + b"9" * SIZE + b',"flow":1}',
    "an exponent without end": lambda: b'{"flow":1e' + b"9" * SIZE + b"}",
    "a text for a time": lambda: b'{"flow":1,"ts":"' + b"9" * SIZE + b'"}',
    "empty objects": lambda: listed(b"{}"),
    "small objects": lambda: listed(b'{"ts":1,"a":1}'),
    "small records": lambda: listed(b'{"n":"a","v":1}'),
    "the same key": lambda: b"{" + filled(b'"a":1,') + b'"a":1}',
    "a table": lambda: b'{"ts":' + listed(b"1700000000") + b',"a":' + listed(b"1700000000") + b"}",
    "empty metrics": lambda: filled(b"\x12\x00"),
    "metrics without a birth": lambda: filled(b"\x12\x02\x10\x01"),
    "a length that is not there": lambda: filled(b"\x12\xff\xff\xff\xff\x07"),
    "messages in messages": lambda: filled(b"\x12\x80\x80\x04"),
    "groups in groups": lambda: b"\x0b" * SIZE,
    "a varint without end": lambda: b"\xff" * SIZE,
    "digits that are no number": lambda: b"pump flow=" + b"9" * SIZE + b"x",
    "digits and dots": lambda: b"pump flow=" + filled(b"9.") + b"x",
    "digits and exponents": lambda: b"pump flow=" + filled(b"1e") + b"x",
    "a stamp without end": lambda: b"pump flow=1 " + b"9" * SIZE,
    "an open quote": lambda: b'pump flow="' + b"x" * SIZE,
    "lines": lambda: filled(b"a b=1\n"),
    "lines that are none": lambda: filled(b"a\n"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", HOSTILE)
def test_a_large_payload_comes_to_an_end_whatever_is_in_it(what: str, dialect: DialectName) -> None:
    """What takes more than its share of time per byte would not come to an end here."""
    read_or_refuse(decoder_of(dialect), TOPICS[dialect], HOSTILE[what]())


# ---------------------------------------------------------------- a model file cannot make anything run

WATCHED = """
import pickle, random, sys
sys.path[:0] = {path!r}
from fuzzing import mutated
from anomgan.detector import Detector
from anomgan.errors import AnomganError
from anomgan.model_file import unpack

def attempt(content):
    try:
        Detector(unpack(content, "x"))
    except AnomganError:
        return 0
    return 1

whole, pickled = open({model!r}, "rb").read(), open({pickled!r}, "rb").read()
size = int.from_bytes(whole[:8], "little")
attempt(whole), attempt(b"none"), attempt(mutated(whole, [whole], random.Random(9)))
heard, armed = [], False
LOUD = ("exec", "compile", "import", "pickle.", "marshal.", "os.", "subprocess.", "open", "socket.", "ctypes.", "code.")
sys.addaudithook(lambda event, arguments: heard.append(event) if armed and event.startswith(LOUD) else None)
armed = True
pickle.loads(pickle.dumps(print))
assert "pickle.find_class" in heard, "the hook hears nothing"
heard.clear()
dice, loaded = random.Random(0), attempt(whole)
for content in (pickled, whole[:8 + size] + pickled, pickled[:8] + whole):
    loaded += attempt(content)
for number in range(200):
    header = mutated(whole[8:8 + size], [pickled], dice)
    loaded += attempt(len(header).to_bytes(8, "little") + header + whole[8 + size:])
    loaded += attempt(mutated(whole, [whole, pickled], dice))
armed = False
print(loaded, sorted(set(heard)))
"""


def test_a_model_file_cannot_make_anything_run(tmp_path: Path) -> None:
    """Python tells of every import, compilation, unpickling, file, process and connection: there must be none."""
    import torch

    model, pickled = tmp_path / "model.safetensors", tmp_path / "pickled"
    model.write_bytes(pack(small_detector().parts))
    torch.save({"generator": torch.zeros(3), "print": print}, pickled)
    script = WATCHED.format(path=[str(Path(__file__).parent)], model=str(model), pickled=str(pickled))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded, heard = done.stdout.strip().split(" ", 1)
    assert int(loaded) >= 1
    assert heard == "[]"


def test_every_target_says_how_it_is_made() -> None:
    assert {f"dialect {name}" for name in DIALECTS} <= set(TARGETS)
    assert all(isinstance(target, Fuzzed) and target.seeds() for target in TARGETS.values())
