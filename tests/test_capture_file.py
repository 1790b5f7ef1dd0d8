"""A capture gives back every message to the byte; one that was torn gives back all before the tear."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.capture_file import CaptureReader, CaptureWriter, is_capture
from anomgan.adapters.ports import Recorded
from anomgan.errors import DataError

SOME = [
    Recorded(1, "a", b"", 0, False),
    Recorded(1_767_225_600_123_456_789, "a/b", b'{"flow": 1.5}\n', 1, True),
    Recorded(3, "a/\u00fc/\u20ac", bytes(range(256)), 2, False),
    Recorded(2, "b", "\u2028\x00\ud7ff\U0001f4a7".encode(), 1, False),
    Recorded(9, "b", b"\xc3", 0, True),
]
LINE = {"time_ns": 5, "topic": "a", "qos": 0, "retain": False, "text": "x"}
HEAD = {"format": "anomgan capture", "version": 1}
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1, max_size=20)
payloads = st.binary(max_size=60) | st.text(max_size=30).map(str.encode)
messages = st.builds(
    Recorded, st.integers(0, 2**63 - 1), topics, payloads, st.sampled_from([0, 1, 2]), st.booleans()
)  # fmt: skip


def written(path: Path, messages: list[Recorded]) -> Path:
    writer = CaptureWriter(path, {"broker": "here"}, replace=True)
    for message in messages:
        writer.add([message])
        writer.flush()
    writer.close()
    return path


def by_hand(path: Path, *lines: object, end: str = "\n") -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + end)
    return path


@pytest.mark.parametrize("name", ["some.jsonl", "some.jsonl.gz"])
def test_what_was_added_is_read_back(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name, SOME)
    reader = CaptureReader(path)
    assert list(reader) == SOME == list(reader)
    assert reader.torn == ""
    assert reader.about["broker"] == "here"
    assert is_capture(path)
    assert path.read_bytes().startswith(b"\x1f\x8b" if name.endswith("gz") else b"{")


@given(st.lists(messages, max_size=5))
def test_whatever_was_added_is_read_back(tmp_path_factory: pytest.TempPathFactory, some: list[Recorded]) -> None:
    folder = tmp_path_factory.mktemp("capture")
    for name in ("any.jsonl", "any.jsonl.gz"):
        assert list(CaptureReader(written(folder / name, some))) == some


def test_lines_are_json_that_names_text_as_text(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path / "c", SOME).read_text("utf-8").split("\n")[:-1]]
    assert lines[0] == {**HEAD, "broker": "here"}
    assert lines[2]["text"] == '{"flow": 1.5}\n'
    assert set(lines[5]) == {"time_ns", "topic", "qos", "retain", "base64"}


def readable(content: bytes) -> bytes:
    """What a file says as far as it goes."""
    return zlib.decompressobj(31).decompress(content) if content.startswith(b"\x1f\x8b") else content


@pytest.mark.parametrize("name", ["cut.jsonl", "cut.jsonl.gz"])
def test_cut_anywhere_it_gives_all_before_the_cut_and_tells(name: str, tmp_path: Path) -> None:
    whole = written(tmp_path / name, SOME).read_bytes()
    cut, seen = tmp_path / f"torn-{name}", set[int]()
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        if b"\n" not in readable(whole[:length]):
            with pytest.raises(DataError, match=r"the file is empty|not one message was recorded"):
                CaptureReader(cut)
            continue
        reader = CaptureReader(cut)
        found = list(reader)
        assert found == SOME[: len(found)]
        seen.add(len(found))
        assert ("torn off after" in reader.torn) == (not readable(whole[:length]).endswith((b"\n", b'"}')))
    assert seen >= set(range(len(SOME)))


def test_a_payload_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    long = [Recorded(1, "a", b"\xff" * 1_000_000, 0, False), Recorded(2, "a", b"x" * 1_000_000, 0, False)]
    for name in ("long", "long.gz"):
        assert list(CaptureReader(written(tmp_path / name, long))) == long


def test_captures_one_after_the_other_in_gzip_and_as_other_programs_write_them(tmp_path: Path) -> None:
    head, rest = json.dumps(HEAD).encode() + b"\n", json.dumps(LINE).encode() + b"\n"
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(head + rest) + gzip.compress(rest))
    assert is_capture(path)
    assert [message.payload for message in CaptureReader(path)] == [b"x", b"x"]
    assert is_capture(by_hand(tmp_path / "spaced", HEAD, LINE, end=""))
    assert len(list(CaptureReader(tmp_path / "spaced"))) == 1


def test_a_file_that_is_there_is_not_replaced_unless_told(tmp_path: Path) -> None:
    path = written(tmp_path / "c", SOME)
    with pytest.raises(DataError, match="it is there already; --force"):
        CaptureWriter(path, {})
    with pytest.raises(DataError, match="cannot be written"):
        CaptureWriter(tmp_path / "no" / "c", {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_ns": -1}, "line 2: time_ns: -1"),
        ({"time_ns": 1.5}, "line 2: time_ns: 1.5"),
        ({"time_ns": True}, "line 2: time_ns: True"),
        ({"topic": ""}, "line 2: topic: '' cannot be published to"),
        ({"topic": "a/#"}, "line 2: topic: 'a/#'"),
        ({"topic": "a" * 70_000}, "line 2: topic: longer than MQTT allows"),
        ({"qos": 3}, "line 2: qos: 3"),
        ({"qos": True}, "line 2: qos: True"),
        ({"retain": 0}, "line 2: retain: 0"),
        ({"text": 5}, "line 2: the payload is a string"),
        ({"text": None}, "line 2: the payload is a string"),
        ({"base64": "eA=="}, "line 2: the payload is a string, as either"),
        ({"text": None, "base64": "e"}, "line 2: base64: "),
        ({"text": None, "base64": "!!"}, "line 2: base64: "),
    ],
)
def test_a_wrong_line_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    line = {key: value for key, value in (LINE | change).items() if value is not None}
    with pytest.raises(DataError, match="capture, ") as raised:
        list(CaptureReader(by_hand(tmp_path / "capture", HEAD, line, LINE)))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((HEAD | {"version": 2}, LINE), "a capture of version 2; this anomgan reads version 1"),
        (({"format": "other"}, LINE), "not a capture"),
        ((HEAD, "{broken", LINE), "line 2: not JSON"),
        ((HEAD, "[]", LINE), "line 2: not a JSON object"),
        ((HEAD, {"topic": "a"}, LINE), "line 2: qos, retain, time_ns is missing"),
        (("[1]", LINE), "line 1: not a JSON object"),
    ],
)
def test_a_wrong_file_is_an_error(lines: tuple[object, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        list(CaptureReader(by_hand(tmp_path / "capture", *lines)))
    assert message in str(raised.value)


def test_no_capture_is_told_from_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "zip.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "csv").write_text("a,b\n1,2\n")
    (tmp_path / "half.gz").write_bytes(b"\x1f\x8b\x08")
    assert not any(is_capture(path) for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "none"))
    for path, message in ((tmp_path / "empty", "the file is empty"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError, match=message):
            CaptureReader(path)
    damaged = written(tmp_path / "d.gz", SOME * 50)
    content = bytearray(damaged.read_bytes())
    content[200] ^= 0xFF
    damaged.write_bytes(content)
    with pytest.raises(DataError, match=r"d.gz"):
        list(CaptureReader(damaged))


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name, [Recorded(1, "a", b"x" * 2_000_000, 0, False)])
    assert len(list(CaptureReader(path))) == 1
    with pytest.raises(DataError, match=r"line 2: longer than 1,000,000 bytes"):
        list(CaptureReader(path, longest_line=1_000_000))
    endless = tmp_path / "head.jsonl"
    endless.write_bytes(b'{"format":"anomgan capture"' + b" " * 2_000_000)
    with pytest.raises(DataError, match=r"line 1: longer than 1,000,000 bytes"):
        CaptureReader(endless)
