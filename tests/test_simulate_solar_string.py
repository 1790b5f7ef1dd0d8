"""A string of solar modules keeps to its curve: the best point, throttled, warm, in the shade."""

import numpy as np
import pytest

from anomgan.simulate.kinds.solar_string import BYPASS, Cell, cell, shaded, throttled, volts_at


def test_no_other_point_of_the_curve_gives_more_than_the_maximum_power_point() -> None:
    for light, celsius in ((0.05, -10.0), (0.3, 10.0), (1.0, 25.0), (1.1, 65.0)):
        point = cell(np.array([light]), np.array([celsius]))
        amps = np.linspace(0.0, float(point.photo[0]) * 0.9999, 20_001)
        power = amps * volts_at(Cell(*(np.broadcast_to(part, amps.shape) for part in point)), amps)
        assert power.max() == pytest.approx(float((point.volts * point.amps)[0]), rel=5e-4)
        assert amps[power.argmax()] == pytest.approx(float(point.amps[0]), rel=1e-2)


def test_warm_modules_lose_what_their_data_sheets_say_and_dim_light_costs_a_little_efficiency() -> None:
    point = cell(np.array([1.0, 1.0, 0.2]), np.array([25.0, 65.0, 25.0]))
    power = point.volts * point.amps
    assert -0.42 < (power[1] / power[0] - 1.0) / 40.0 * 100.0 < -0.28  # % per K
    assert point.open_circuit[1] / point.open_circuit[0] == pytest.approx(1.0 - 0.0026 * 40.0)
    assert power[0] == pytest.approx(1.0, abs=0.01)
    assert 0.94 < power[2] / 0.2 / power[0] < 0.99


@pytest.mark.parametrize("share", [1.0, 0.999, 0.95, 0.6, 0.2, 0.02])
def test_a_throttled_string_gives_its_share_of_power_on_its_own_curve_above_the_best_voltage(share: float) -> None:
    point = cell(np.array([0.1, 0.6, 1.1]), np.array([-10.0, 30.0, 60.0]))
    amps = point.amps * throttled(point, np.full(3, share))
    volts = volts_at(point, amps)
    np.testing.assert_allclose(amps * volts, share * point.amps * point.volts, rtol=1e-7)
    assert np.all(volts >= point.volts * (1 - 1e-9))
    assert np.all(volts < point.open_circuit)


def test_shaded_modules_are_bypassed_in_sunshine_and_cost_nothing_where_there_is_no_shade() -> None:
    bright, dim, warm = np.array([1.0]), np.array([0.12]), np.array([40.0])
    point, shade = cell(bright, warm), cell(dim, warm)
    volts, amps = shaded(point, shade, np.array([0.3]))
    np.testing.assert_allclose(amps, point.amps)
    np.testing.assert_allclose(volts, 0.7 * point.volts - 0.3 * BYPASS)
    volts, amps = shaded(point, cell(0.98 * bright, warm), np.array([0.3]))  # hardly any shade: they carry on together
    np.testing.assert_allclose(volts * amps, point.volts * point.amps, rtol=0.03)
    volts, amps = shaded(point, shade, np.array([0.0]))
    np.testing.assert_allclose(volts * amps, point.volts * point.amps)
