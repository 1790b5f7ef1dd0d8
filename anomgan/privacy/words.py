"""The report as text: each measure with its figure, each risk by name, and what these tests cannot see."""

from collections.abc import Callable

from anomgan.privacy.chance import Measured
from anomgan.privacy.membership import Attack
from anomgan.privacy.report import PrivacyReport

BLIND = (
    "These tests compare windows of {length} rows with their nearest neighbours. They cannot see what is learned of a "
    "single reading, of too few windows to be told from chance, of a whole device or its habits, or by an attacker who "
    "knows more; nor what the training data themselves should not tell. Only training with differential privacy bounds "
    "what any attacker can learn."
)
UNSAFE = "That does not make the data safe."
NAMES = {"leak": "LEAK", "not found": "none found", "cannot tell": "cannot tell"}


def words(report: PrivacyReport, train_time: Callable[[int], str] = "row {}".format) -> list[str]:
    """Lines for a terminal; `train_time` says what a row of the training data is called."""
    said = "{:,} training, {:,} held-out and {:,} synthetic windows of {} rows; chance moves blocks of {} rows"
    lines = [
        said.format(*report.windows, report.length, report.block_rows),
        "",
        *_table(report),
        "",
        *_duplicates(report, train_time),
    ]
    if report.drifted:
        lines += [
            "",
            "Training and held-out data can be told apart by themselves, without any synthetic data: what lies near "
            "the training data may be near in time, not copied. Held-out data from the same time would show more.",
        ]
    return [*lines, "", verdict(report), BLIND.format(length=report.length)]


def verdict(report: PrivacyReport) -> str:
    """One sentence; that data are safe is not among those it knows."""
    undecided = f" It cannot be told by: {'; '.join(report.undecided)}." if report.undecided else ""
    if report.risks:
        return f"Leaks of training data were found by: {'; '.join(report.risks)}.{undecided}"
    if report.undecided:
        return f"No leak found by those of these tests that could tell. {UNSAFE}{undecided}"
    return f"No leak found by these tests. {UNSAFE}"


def _table(report: PrivacyReport) -> list[str]:
    """One line a measure."""
    closest, ratio, pair = report.closest.share, report.ratio.share, report.adversarial
    said = [
        ("nearest real window is a training window", closest, "{:z.0%}"),
        ("closer to one training window than to one held out", ratio, "{:z.0%}"),
        (f"adversarial accuracy {pair.held_out:.2f} held out, {pair.train:.2f} training: loss", pair.loss, "{:z.2f}"),
    ]
    for one in report.attacks:
        said += [(f"attack by {_by(one)}, area under ROC", one.auc, "{:z.2f}")]
        said += [(f"    training windows found at {one.false_alarms:.0%} false alarms", one.found, "{:z.1%}")]
    head = f"{'':<56} {'measured':>8}  {'95 % interval':<16} {'by chance':>9}  {'seen from':>9}"
    return [head, *(_line(name, one, form) for name, one, form in said)]


def _by(one: Attack) -> str:
    return {"nearest": "distance", "calibrated": "calibrated distance"}.get(one.name, one.name)


def _line(name: str, one: Measured, form: str) -> str:
    ends = f"{form.format(one.low)} to {form.format(one.high)}"
    value, chance, seen = (form.format(number) for number in (one.value, one.expected, one.visible_from))
    return f"{name:<56} {value:>8}  {ends:<16} {chance:>9}  {seen:>9}  {NAMES[one.verdict]}"


def _duplicates(report: PrivacyReport, train_time: Callable[[int], str]) -> list[str]:
    """How many training windows appear again, and where."""
    found = report.duplicates
    lines = [
        f"of {found.windows:,} synthetic windows looked at, {found.exact:,} are training windows and {found.close:,} "
        f"lie less than half as far from one as real windows do (of real windows {found.real:.1%} do so)"
        + (": LEAK" if found.leak else "")
    ]
    if found.leak:
        for one in found.places:
            how = "the same" if one.exact else f"{one.distance:.2g} apart where real windows are {one.usual:.2g}"
            last = one.synthetic_row + one.rows - 1
            lines.append(f"  synthetic rows {one.synthetic_row} to {last}: training {train_time(one.train_row)}, {how}")
    return lines
