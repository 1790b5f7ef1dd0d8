"""What is fuzzed of a synthesizer: its file, whole and with any header."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from examples import normal_series
from sealed_headers import header_of, with_header

from anomgan.config import SynthesizerConfig
from anomgan.errors import DataError, ModelFileError
from anomgan.records import TimeSeries
from anomgan.synthesis.conditions import DEVICE
from anomgan.synthesis.model_file import pack, unpack
from anomgan.synthesis.synthesizer import Synthesizer


@cache
def small_synthesizer() -> Synthesizer:
    """Of two devices, conditioned on one of its columns, the device and the time of day."""
    config = SynthesizerConfig(
        window=16, steps=4, latent=2, width=4, batch=8, conditions=("mode", "device", "hour"), device="cpu"
    )
    one = normal_series(120, seed=0)
    mode = np.arange(120.0)[:, None] // 30 % 2
    several = [
        TimeSeries(one.times, np.hstack([one.values, mode]), (*one.channels, "mode"), device=name)
        for name in ("p1", "p2")
    ]
    return Synthesizer.fit(several, config)


@cache
def whole() -> bytes:
    """Its file."""
    return pack(small_synthesizer().parts)


def unpacking_a_synthesizer(content: bytes) -> str:
    """Law: a file is refused with a ModelFileError, or it is a synthesizer that makes and completes rows."""
    try:
        maker = Synthesizer(unpack(content, "x"))
    except ModelFileError as error:
        assert str(error).startswith("x: ")  # noqa: PT017 one of the two allowed outcomes
        return "refused"
    given = {one.name: one.levels[0] if one.levels else 0.0 for one in maker.parts.conditions}
    told = {name: value for name, value in given.items() if name not in ("hour", "weekday")}
    try:
        (made,) = maker.generate(20, given=told)
    except DataError as error:
        assert "nothing like" in str(error)  # noqa: PT017 of a number that 0 is far away from
        return "loaded"
    assert np.isfinite(made.values).all()
    made.values[3] = np.nan
    found = maker.impute(made, given={DEVICE: "p1", **told} if DEVICE in told else told, draws=2)
    assert np.isfinite(found.series.values).all()
    return "loaded"


def unpacking_a_synthesizer_s_header(header: bytes) -> str:
    """The same for a file whose tensors are whole and whose header is anything."""
    return unpacking_a_synthesizer(with_header(whole(), header))


def headers() -> list[bytes]:
    """A whole one, and others that are wrong in one place."""
    header = header_of(whole())
    deep = b'{"kind":"synthesizer","format":1,"config":' + b"[" * 900 + b"]" * 900 + b"}"
    return [header, *(miswritten(header, way) for way in MISWRITTEN), deep]


def miswritten(header: bytes, way: Callable[[Any], object]) -> bytes:
    """A header after a change of what is in it."""
    document = json.loads(header)
    way(document)
    return json.dumps(document).encode()


MISWRITTEN: list[Callable[[Any], object]] = [
    lambda header: header.pop("conditions"),
    lambda header: header.update(kind="detector"),
    lambda header: header.update(format=2),
    lambda header: header.update(summary=None),
    lambda header: header.update(period_s=1e308),
    lambda header: header["config"].update(conditions=["mode", "hour", "device"]),
    lambda header: header["config"].update(architecture="pyramid"),
    lambda header: header["config"].update(window=None),
    lambda header: header["config"].update(window=65_536),
    lambda header: header["conditions"][0].update(levels=[1.0, "p1"]),
    lambda header: header["conditions"][0].update(levels=[]),
    lambda header: header["conditions"][0].update(levels=[True, False]),
    lambda header: header["conditions"][0].update(levels=[3.0, 3.0]),
    lambda header: header["conditions"][1].update(levels=["p1", "p1"]),
    lambda header: header["conditions"][0].update(spread=0.0),
    lambda header: header["conditions"].append(header["conditions"][0]),
    lambda header: header["marginals"][0].update(decimals=400),
    lambda header: header["marginals"][0].update(spread=-1.0),
    lambda header: header["marginals"].pop(),
    lambda header: header["channels"].__setitem__(0, header["channels"][1]),
]
"""ways in which a header says what no training writes"""
