"""The model file: what comes back is what was saved; anything else is a ModelFileError, never another exception."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from anomgan.adapters.files import read_model_bytes
from anomgan.detector import Detector
from anomgan.errors import ModelFileError
from anomgan.model_file import FORMAT, WITHOUT_BODIES, WITHOUT_LIMITS, pack, read_header, unpack
from anomgan.records import TimeSeries
from anomgan.score import SPACES
from anomgan.sealed_file import DIGEST

KEYS_OF_FORMAT_4 = {
    *("window", "stride", "steps", "latent", "width", "batch", "loss", "learning_rate", "adversarial_weight"),
    *("reconstruction_weight", "ema_decay", "patience", "holdout", "alarms_per_week", "max_gap_s", "max_hold", "seed"),
    "device",
}

Header = dict[str, Any]
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def packed(detector: Detector) -> bytes:
    return pack(detector.parts)


def opened(packed: bytes) -> tuple[Header, Tensors]:
    """What is in a file; without its digest, so that what is changed here is told by what is wrong with it."""
    header = read_header(packed, "x")
    del header[DIGEST]
    return header, load_tensors(packed)


def closed(header: Header | str, tensors: Tensors) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return save_tensors(tensors, {"anomgan": text})


def refused(data: bytes) -> str:
    """The message of the ModelFileError that this file gives; a file that loads must also score."""
    with pytest.raises(ModelFileError) as caught:
        Detector(unpack(data, "pump.safetensors"))
    message = str(caught.value)
    assert message.startswith("pump.safetensors: ")
    assert len(message.splitlines()) == 1
    return message


# ---------------------------------------------------------------- what comes back


def test_a_loaded_detector_is_the_one_that_was_saved(detector: Detector, series: TimeSeries, tmp_path: Path) -> None:
    path = tmp_path / "pump.safetensors"
    detector.save(path)
    state = torch.get_rng_state()
    loaded = Detector.load(str(path))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(loaded.score(series), detector.score(series))
    assert loaded.config == detector.config
    assert (loaded.channels, loaded.units, loaded.period_s) == (detector.channels, detector.units, detector.period_s)
    assert loaded.threshold == detector.threshold
    assert loaded.summary.items() >= detector.summary.items()
    assert loaded.summary["library_version"]
    assert pack(loaded.parts) == path.read_bytes() or loaded.summary != detector.summary


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "pump.safetensors"
    path.write_bytes(b"old")
    detector.save(path)
    detector.save(path)
    assert Detector.load(path).channels == detector.channels
    assert [p.name for p in tmp_path.iterdir()] == ["pump.safetensors"]


def test_any_safetensors_reader_finds_plain_tensors(packed: bytes) -> None:
    header, tensors = opened(packed)
    assert header["format"] == FORMAT
    assert not any("parametrizations" in name for name in tensors)
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"torch.float32", "torch.float64", "torch.bool"}


# ---------------------------------------------------------------- files that are no model


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.safetensors: no such file"):
        Detector.load(tmp_path / "nowhere.safetensors")
    with pytest.raises(ModelFileError, match=tmp_path.name):
        read_model_bytes(tmp_path)


def test_every_truncation_is_refused(packed: bytes) -> None:
    head = 8 + int.from_bytes(packed[:8], "little")
    for cut in [*range(12), *range(12, head, 997), head - 1, head, head + 1, len(packed) // 2, len(packed) - 1]:
        refused(packed[:cut])
    refused(packed + b"\0")


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"time,flow\n1,2\n",
        b"\x02\0\0\0\0\0\0\0[]",
        b"\x02\0\0\0\0\0\0\0{}",
        b"PK\x03\x04" * 9,
    ],
)
def test_a_foreign_file_is_refused(foreign: bytes) -> None:
    assert "not an anomgan model file" in refused(foreign)


def test_a_safetensors_file_of_others_is_refused() -> None:
    assert "not an anomgan model file" in refused(save_tensors({"x": torch.zeros(3)}, {"format": "pt"}))


@pytest.mark.parametrize(
    "text", ["", "5", "null", "[]", "{}", '{"format": "1"}', '{"format": 0}', '{"format": 1.0}', "{", "[" * 100_000]
)
def test_a_header_that_is_none_is_refused(packed: bytes, text: str) -> None:
    refused(closed(text, opened(packed)[1]))


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(packed: bytes) -> None:
    header, tensors = opened(packed)
    message = refused(closed(header | {"format": FORMAT + 1, "library_version": "9.9"}, tensors))
    assert f"newer anomgan (9.9, format {FORMAT + 1})" in message


def test_an_older_format_is_refused_with_what_to_do(packed: bytes) -> None:
    header, tensors = opened(packed)
    assert f"format {WITHOUT_LIMITS - 1}" in refused(closed(header | {"format": WITHOUT_LIMITS - 1}, tensors))


def without_bodies(tensors: Tensors) -> Tensors:
    """As they were named up to format 4."""
    return {name.replace(".body.", "."): tensor for name, tensor in tensors.items()}


def test_a_file_of_before_networks_had_bodies_scores_as_ever(
    packed: bytes, detector: Detector, series: TimeSeries
) -> None:
    header, tensors = opened(packed)
    older = header | {"format": WITHOUT_BODIES, "config": {k: header["config"][k] for k in KEYS_OF_FORMAT_4}}
    assert without_bodies(tensors).keys() != tensors.keys()
    np.testing.assert_array_equal(
        Detector(unpack(closed(older, without_bodies(tensors)), "x")).score(series), detector.score(series)
    )
    assert "no 'generator.body" in refused(closed(header, without_bodies(tensors)))
    assert "no 'generator." in refused(closed(older, tensors))


def test_a_file_of_before_there_were_limits_scores_as_ever_and_limits_nothing(
    packed: bytes, detector: Detector, series: TimeSeries
) -> None:
    header, tensors = opened(packed)
    del header["limits"]
    older = Detector(unpack(closed(header | {"format": WITHOUT_LIMITS}, without_bodies(tensors)), "x"))
    np.testing.assert_array_equal(older.score(series), detector.score(series))
    limits = older.parts.limits
    assert (limits.channels, limits.units, limits.period_s) == (older.channels, older.units, older.period_s)
    assert {one.kind for one in limits.of} == {"unused"}
    assert "no 'limits'" in refused(closed(header | {"format": FORMAT}, tensors))


def test_the_limits_come_back_and_those_of_other_channels_are_refused(packed: bytes, detector: Detector) -> None:
    header, tensors = opened(packed)
    assert unpack(packed, "x").limits == detector.parts.limits
    foreign = header["limits"] | {"channels": [f"{name}2" for name in detector.channels]}
    assert "other channels" in refused(closed(header | {"limits": foreign}, tensors))


# ---------------------------------------------------------------- headers that lie


def changed(header: Header, place: str, value: object) -> Header:
    """The header with the value at a dotted place replaced."""
    copy: Header = json.loads(json.dumps(header))
    *tables, key = place.split(".")
    inner = copy
    for table in tables:
        inner = inner[table]
    inner[key] = value
    return copy


PLACES = """config config.window config.stride config.latent config.width config.seed config.device config.loss
config.max_gap_s config.max_hold config.alarms_per_week channels units period_s calibration
calibration.fused calibration.discriminator.scale calibration.fused.shape calibration.fused.reach summary weights
weights.pattern alarm_share limits limits.of"""
LIES: list[Any] = [None, True, -1, 0, 10**9, 10**30, float("nan"), float("inf"), -1e-9, "text", "1"]
LIES += [[], {}, [[]], ["a"] * 3]


@pytest.mark.parametrize("place", PLACES.split())
def test_a_tampered_header_is_refused_or_still_scores(packed: bytes, series: TimeSeries, place: str) -> None:
    header, tensors = opened(packed)
    refusals = 0
    for lie in LIES:
        try:
            detector = Detector(unpack(closed(changed(header, place, lie), tensors), "x"))
        except ModelFileError:
            refusals += 1
            continue
        scores = detector.score(series.values)
        assert not np.isinf(scores).any()
        assert np.isfinite(detector.threshold)
        detector.events(series)
    assert refusals >= 5


@pytest.mark.parametrize(
    "place",
    ["config", "channels", "units", "period_s", "calibration", "weights", "alarm_share", "summary", "library_version"],
)
def test_a_header_without_a_part_is_refused_by_name(packed: bytes, place: str) -> None:
    header, tensors = opened(packed)
    del header[place]
    assert place in refused(closed(header, tensors))


@pytest.mark.parametrize("window", [65_536, 10**6 * 8, 10**18])
def test_a_header_cannot_ask_for_memory(packed: bytes, window: int) -> None:
    """Sizes are compared with the tensors that are there before anything is made."""
    header, tensors = opened(packed)
    huge = changed(changed(changed(header, "config.window", window), "config.width", 256), "config.latent", 256)
    refused(closed(huge, tensors))


def test_a_file_cannot_be_without_a_measured_channel_or_have_other_ones(packed: bytes) -> None:
    header, tensors = opened(packed)
    for measured in ([False, False, False], [True, True, False]):
        refused(closed(header, tensors | {"measured": torch.tensor(measured)}))


def test_two_channels_of_one_name_are_refused(packed: bytes) -> None:
    header, tensors = opened(packed)
    refused(closed(changed(header, "channels", ["a", "a", "b"]), tensors))


# ---------------------------------------------------------------- tensors that do not fit

CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "empty": lambda t: t.reshape(-1)[:0],
    "longer": lambda t: torch.cat([t, t] if t.dim() else [t[None], t[None]]),
    "one dimension more": lambda t: t[None],
    "flat": lambda t: t.flatten(),
    "a number": lambda t: t.flatten()[0],
    "not finite": lambda t: torch.full_like(t, float("nan")) if t.is_floating_point() else t.to(torch.float32),
    "infinite": lambda t: torch.full_like(t, float("inf")) if t.is_floating_point() else t.to(torch.int8),
    "16 bits": lambda t: t.to(torch.float16),
    "brain float": lambda t: t.to(torch.bfloat16),
    "integers": lambda t: t.to(torch.int64),
    "complex": lambda t: t.to(torch.complex64),
}


SAME = ("flat", "a number")


@pytest.mark.parametrize("change", list(CHANGES))
def test_tensors_of_the_right_name_and_the_wrong_shape_or_kind_are_refused(packed: bytes, change: str) -> None:
    header, tensors = opened(packed)
    for name, tensor in tensors.items():
        wrong = CHANGES[change](tensor).contiguous()
        if wrong.shape == tensor.shape and wrong.dtype == tensor.dtype and not wrong.is_floating_point():
            continue
        if (name, change) in {("scaler.centre", "not finite")} or (wrong.shape == tensor.shape and change in SAME):
            continue  # a channel never seen has no centre; a vector is flat already, and a number a number
        refused(closed(header, tensors | {name: wrong}))


def test_a_missing_tensor_is_refused_by_name(packed: bytes) -> None:
    header, tensors = opened(packed)
    for name in tensors:
        rest = {key: value for key, value in tensors.items() if key != name}
        assert name.split(".")[0] in refused(closed(header, rest))


POSITIVE = ["scaler.spread", "generator.reach"]
POSITIVE += [f"normal.{space}.{key}" for space in SPACES for key in ("variances", "rest")]


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_spread_that_is_not_positive_is_refused(packed: bytes, name: str, value: float) -> None:
    header, tensors = opened(packed)
    wrong = tensors[name].clone()
    wrong.view(-1)[0] = value
    assert name in refused(closed(header, tensors | {name: wrong}))


def test_a_survival_function_that_falls_back_is_refused(packed: bytes) -> None:
    header, tensors = opened(packed)
    assert "tail.fused" in refused(closed(header, tensors | {"tail.fused.body": tensors["tail.fused.body"].flip(0)}))
    up = tensors["tail.fused.log_survival"].abs() + 1.0
    assert "tail.fused" in refused(closed(header, tensors | {"tail.fused.log_survival": up}))


# ---------------------------------------------------------------- any bytes at all


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_model_file_error(noise: bytes) -> None:
    for data in (noise, len(noise).to_bytes(8, "little") + noise):
        with pytest.raises(ModelFileError):
            unpack(data, "x")


def test_one_wrong_bit_anywhere_is_refused_or_changes_nothing(packed: bytes, series: TimeSeries) -> None:
    """Weights that are a little wrong would be scored with, and nobody would know."""
    rng = np.random.default_rng(0)
    scores = Detector(unpack(packed, "x")).score(series)
    word = packed.index(DIGEST.encode())  # the one place where a wrong bit hides the digest, and hurts nothing else
    for place in [*rng.integers(0, len(packed), 300).tolist(), word]:
        damaged = bytearray(packed)
        damaged[place] ^= 1 << int(rng.integers(5))
        try:
            loaded = Detector(unpack(bytes(damaged), "x"))
        except ModelFileError:
            continue
        assert place in range(word, word + len(DIGEST))
        np.testing.assert_array_equal(loaded.score(series), scores)


def test_a_file_of_an_earlier_version_without_a_digest_is_read(packed: bytes, detector: Detector) -> None:
    assert Detector(unpack(closed(*opened(packed)), "x")).threshold == detector.threshold


def test_a_damaged_file_is_refused_or_loads_and_with_sound_weights_still_scores(packed: bytes) -> None:
    """Bytes of a file without a digest overwritten; where only the header was hit, what loads must score."""
    packed = closed(*opened(packed))
    rng = np.random.default_rng(0)
    head = 8 + int.from_bytes(packed[:8], "little")
    outcomes = {"refused": 0, "loaded": 0}
    for trial in range(400):
        in_header = trial % 4 > 0
        start = int(rng.integers(head if in_header else len(packed)))
        noise = rng.bytes(int(rng.integers(1, 9))) if trial % 2 else b"7" * int(rng.integers(1, 5))
        damaged = packed[:start] + noise + packed[start + len(noise) :]
        try:
            loaded = Detector(unpack(damaged, "x"))
        except ModelFileError:
            outcomes["refused"] += 1
            continue
        outcomes["loaded"] += 1
        if start + len(noise) <= head:
            loaded.score_windows(np.zeros((1, len(loaded.channels), loaded.rule.window)))
    assert min(outcomes.values()) > 20
