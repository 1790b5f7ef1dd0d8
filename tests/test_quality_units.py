"""Units: the usual conversions, and what tells another unit from a process that jumps."""

import pytest

from anomgan.quality.units import KINDS, LONGEST, NEAR, POWERS, Conversion, believe, conversions, explain_jump


@pytest.mark.parametrize(
    ("unit", "own", "others"),
    [
        ("°C", 25.0, [77.0, 298.15]),
        ("degF", 77.0, [25.0, 298.15]),
        ("bar", 2.0, [29.007548, 200.0, 2000.0, 0.2, 2e5]),
        ("m/s", 10.0, [36.0, 22.369363, 32.808399]),
        ("m³/h", 6.0, [100.0, 1.6666667, 6000.0]),
        ("rpm", 3000.0, [50.0]),
        ("kWh", 1.0, [1000.0, 3.6]),
    ],
)
def test_the_other_units_of_a_kind_are_known(unit: str, own: float, others: list[float]) -> None:
    read = [conversion.scale * own + conversion.offset for conversion in conversions(unit)]
    for other in others:
        assert any(abs(value - other) < 1e-5 * other for value in read), other


@pytest.mark.parametrize("unit", ["", "furlong", *(name for kind in KINDS for name in kind)])
def test_powers_of_ten_are_always_known_and_factors_near_one_never(unit: str) -> None:
    known = conversions(unit)
    assert set(POWERS) <= {float(f"{c.scale:.6g}") for c in known if c.offset == 0}
    assert all(c.offset or not 1 / NEAR < c.scale < NEAR for c in known)
    assert len({(round(c.scale, 6), round(c.offset, 2)) for c in known if c.scale > 1e-3}) == len(
        [c for c in known if c.scale > 1e-3]
    )
    for c in known:
        assert c.back(c.scale * 12.5 + c.offset) == pytest.approx(12.5)


def test_a_jump_is_explained_only_by_a_conversion_that_fits_tightly() -> None:
    known = conversions("bar")
    assert explain_jump(known, 5.0, 500.2, 0.05) is not None
    assert explain_jump(known, 5.0, 450.0, 0.05) is None
    assert explain_jump(known, 5.0, 540.0, 10.0) is None  # whatever the tolerance, it is 8 % off


@pytest.mark.parametrize("factor", [1000.0, 100.0, 10.0, 0.1, 0.001])
def test_moves_tell_a_unit_from_a_process(factor: float) -> None:
    conversion, step = Conversion(factor, 0.0, ""), 0.02
    assert believe(conversion, step, 14, 13, 13 * step) is True  # in the channel's own unit they are as always
    assert believe(conversion, step, 14, 13, 13 * step / factor) is False  # as always as they are sent
    assert believe(conversion, step, 5, 3, 3 * step) is None  # too few


def test_where_moves_do_not_tell_time_does() -> None:
    celsius = Conversion(1.8, 32.0, "")
    assert believe(celsius, 0.1, 10, 9, 0.9) is None
    assert believe(celsius, 0.1, 17, 16, 1.6) is True
    still = Conversion(1000.0, 0.0, "")
    assert believe(still, 0.1, LONGEST, 0, 0.0) is None
    assert believe(still, 0.1, LONGEST + 1, 0, 0.0) is True  # it does not move at all
