"""A small coverage-guided fuzzer: mutations of a corpus that grows by what reaches new lines of the library.

Line coverage by `sys.settrace`, which every Python has; mutations of bytes, and of the values inside JSON. Seeded.
"""

import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import anomgan

Target = Callable[[bytes], str]
"""bytes -> what became of them, in a word; it raises where a law is broken"""
ROOTS = (str(Path(anomgan.__file__).parent),)
LONGEST = 20_000
BOUND_S = 2.0
"""CPU seconds that a payload of such a length may take when nothing traces it: a thousand times what most take"""
HANG_S = 120.0
"""seconds after which a payload is given up, traced or not, on however busy a machine"""
MOST_KEPT = 2_000

TEXTS = [
    *(b"[", b"]", b"{", b"}", b'"', b":", b",", b"=", b" ", b"\n", b"\\", b"#", b"+", b"/", b"\r\n", b"i", b"e", b"."),
    *(b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e400", b"1e-400", b"9" * 30, b"9" * 5000, b"0x" + b"f" * 4200),
    *(b"1700000000", b"1700000000000", b"1700000000000000000", b'"2023-11-14T22:13:20Z"'),
    *(b'"9999-12-31T23:59:59-23:59"', b"[" * 1200, b'{"a":' * 1200, b'"ts"', b'"value"', b'"bn"', b'"object"', b"ON"),
    b"\xf0\x9f\x92\xa7",
]  # fmt: skip
BYTES = [
    *(b"\x00", b"\xff", b"\x12\x00" * 50, b"\xff\xff\xff\xff\x7f", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 11),
    *(b"\xed\xa0\x80", b"\xc3\x28", b"\xef\xbb\xbf", b"\x12\x06\x10\x01", b"\x69" + b"\xff" * 8, b"\x4a\x02\x0a\x00"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -0.0, 1, -1, 1.5, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 1e308, -1e308, 5e-324),
    *("", "a", "\0", "\ud7ff", "x" * 300, "ON", "p1/x", "+", "1", "1e5", 1.7e9, 1.7e12, 1.7e18, "2023-11-14T22:13:20"),
    *([], {}, [[]], [{}], {"": 0}, {"ts": {}}, [1, "a", None], {"a": {"b": {"c": 1}}}, [0] * 70),
]


def mutated(seed: bytes, corpus: Sequence[bytes], dice: random.Random) -> bytes:
    """A few changes of a payload: of the JSON in it where there is some, else of its bytes."""
    longest = max(LONGEST, len(seed))
    if dice.random() < 0.5:
        try:
            document = json.loads(seed)
        except (ValueError, RecursionError):
            pass
        else:
            alike = [*_leaves(document), *VALUES]
            for _ in range(dice.randint(1, 3)):
                document = _with_change(document, dice, alike)
            return json.dumps(document).encode()[:longest]
    payload = bytearray(seed)
    text = dice.random() < 0.8 and _is_text(seed)
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        _change(payload, corpus, dice, text=text)
    return bytes(payload[:longest])


def _is_text(payload: bytes) -> bool:
    try:
        return payload.decode().isprintable() or b"\n" in payload
    except UnicodeDecodeError:
        return False


def _change(payload: bytearray, corpus: Sequence[bytes], dice: random.Random, *, text: bool) -> None:
    """One change in place; `text` stays text, so that it is not all refused for its encoding."""
    tokens = TEXTS if text else TEXTS + BYTES
    at = dice.randint(0, len(payload))
    length = min(dice.choice((1, 1, 2, 4, 8, 32, 128)), len(payload) - at)
    match dice.randint(0, 6):
        case 0:
            payload[at:at] = dice.choice(tokens)
        case 1:
            payload[at : at + length] = dice.choice(tokens)
        case 2:
            del payload[at : at + length]
        case 3:
            payload[at:at] = payload[at : at + length] * dice.choice((1, 2, 10))
        case 4:
            payload[at : at + length] = dice.randbytes(length) if not text else b"%d" % dice.randint(-99, 99)
        case 5 if payload and not text:
            payload[min(at, len(payload) - 1)] ^= 1 << dice.randint(0, 7)
        case _:
            other = dice.choice(corpus)
            start = dice.randint(0, len(other))
            payload[at:] = other[start:]


def _leaves(document: Any) -> list[Any]:
    """The innermost values of a document, and its keys."""
    if isinstance(document, dict):
        return [*document, *(leaf for one in document.values() for leaf in _leaves(one))]
    return [leaf for one in document for leaf in _leaves(one)] if isinstance(document, list) else [document]


def _with_change(document: Any, dice: random.Random, alike: Sequence[Any]) -> Any:
    """The document with one value, key or element changed; half of the values to one `alike` that has their type."""
    if isinstance(document, dict) and document and dice.random() < 0.9:
        key = dice.choice(list(document))
        inner = dict(document)
        match dice.randint(0, 5):
            case 0:
                del inner[key]
            case 1:
                inner[dice.choice(["ts", "value", "", "a.b", "x", "bn", "t", key + "_", "device"])] = inner.pop(key)
            case _:
                inner[key] = _with_change(inner[key], dice, alike)
        return inner
    if isinstance(document, list) and document and dice.random() < 0.9:
        at = dice.randrange(len(document))
        inner_list = list(document)
        match dice.randint(0, 4):
            case 0:
                del inner_list[at]
            case 1:
                inner_list.insert(at, dice.choice(VALUES))
            case _:
                inner_list[at] = _with_change(inner_list[at], dice, alike)
        return inner_list
    if dice.random() < 0.5:  # what is refused for its type says nothing of what stands behind that
        return dice.choice([one for one in alike if type(one) is type(document)] or VALUES)
    return dice.choice(VALUES)


@dataclass
class Campaign:
    """What a run came to. slowest: CPU seconds of the slowest payload, and the payload."""

    executions: int = 0
    corpus: int = 0
    lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: bytes = b""


class BrokenLaw(AssertionError):
    """A payload for which a law does not hold; the message has it as Python writes it."""


def fuzz(target: Target, seeds: Sequence[bytes], executions: int, seed: int = 0, trace_every: int = 1) -> Campaign:
    """Run a target on seeds and mutations; BrokenLaw with the payload for anything it raises.

    trace_every: one in so many payloads is traced; more payloads a second for slower growth of the corpus.
    """
    signal.signal(signal.SIGALRM, _give_up)
    dice = random.Random(seed)
    corpus = list(seeds)
    seen: set[tuple[str, int]] = set()
    result = Campaign()
    while result.executions < executions:
        first = result.executions < len(seeds)
        payload = seeds[result.executions] if first else mutated(dice.choice(corpus), corpus, dice)
        trace = first or result.executions % trace_every == 0
        new, outcome, spent_s = _run(target, payload, seen if trace else None)
        result.executions += 1
        result.outcomes[outcome] += 1
        if spent_s > result.slowest_s and not trace:
            result.slowest_s, result.slowest = spent_s, payload
        if new and not first and len(corpus) < MOST_KEPT:
            corpus.append(payload)
    result.corpus, result.lines = len(corpus), len(seen)
    return result


def _run(target: Target, payload: bytes, seen: set[tuple[str, int]] | None) -> tuple[bool, str, float]:
    """Whether new lines were reached, what became of the payload, CPU seconds."""
    before = len(seen) if seen is not None else 0
    begun_s = time.process_time()
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    if seen is not None:
        sys.settrace(_tracer(seen))
    try:
        outcome = target(payload)
    except Exception as error:
        raise BrokenLaw(f"{type(error).__name__}: {error}\npayload: {payload!r}") from error
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    spent_s = time.process_time() - begun_s
    if seen is None and spent_s > BOUND_S:
        raise BrokenLaw(f"it took {spent_s:.1f} CPU seconds\npayload: {payload!r}")
    return seen is not None and len(seen) > before, outcome, spent_s


def _give_up(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {HANG_S:g} seconds")


def _tracer(seen: set[tuple[str, int]]) -> Callable[[FrameType, str, Any], Any]:
    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(ROOTS) else None

    return on_call
