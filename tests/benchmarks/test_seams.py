"""Whether a classifier finds where generated windows were joined.

    make bench ARGS="-k seams"

A synthesizer learns a simulated pump and makes 40,000 rows. Stretches around the rows where a new quarter of a window
begins stand against stretches around the rows in the middle between; boosted trees and a network are to tell them
apart, cross-validated in blocks of time. The same rows of the pump itself are the control: 0 is perfect, 0.5 is found
out.
"""

import pytest
from figures import table
from test_generators import pump

from anomgan.config import SynthesizerConfig
from anomgan.fidelity import discriminative_score
from anomgan.records import Floats
from anomgan.synthesis.synthesizer import Synthesizer

ROWS, REACH = 40_000, 8


def around(values: Floats, window: int, behind: int) -> tuple[Floats, ...]:
    """Stretches of 2 REACH rows, in spreads, around every row that lies so far behind a joint."""
    scaled = (values - values.mean(0)) / values.std(0)
    begins = range(window + behind - REACH, len(values) - 2 * REACH, window // 4)
    return tuple(scaled[begin : begin + 2 * REACH] for begin in begins)


@pytest.mark.bench
def test_seams_are_not_found() -> None:
    real, _ = pump()
    maker = Synthesizer.fit(real, SynthesizerConfig())
    window = maker.config.window or 0
    made = maker.generate(ROWS, seed=1)[0].values
    rows = []
    for name, values in (("generated", made), ("the pump", real.values)):
        joints, between = around(values, window, 0), around(values, window, window // 8)
        found = discriminative_score(joints, between, 2 * REACH)
        rows.append([name, str(len(joints)), f"{found.score:.3f}"])
    table("seams, discriminative score", ["stretches of", "joints", "told apart, 0 to 0.5"], rows)
