"""The one look of every picture that a command draws: fonts, sizes, colours, grid, dates, widths of a paper's columns.

Colours are those of the page in its light theme, told apart by colour-blind eyes too (after Okabe and Ito); where lines
are many, a marker tells them apart as well. A file's ending says what it is: PNG at 200 dots an inch, PDF or SVG.
Names come from outside, so no text is read as a formula.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal, get_args
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from anomgan.adapters.files import is_date
from anomgan.errors import ConfigError
from anomgan.records import Floats
from anomgan.shown import printable

Form = Literal["png", "pdf", "svg"]
Moments = NDArray[Any]

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.16
"""inches, as journals print"""
DPI = 200
SMALL, TINY = 7.0, 6.5
"""points, beside the 8 of all else"""
CHARACTERS = 19
"""of small print on an inch"""
KEY_IN = 0.36
"""a key's mark and the room around it"""
LONGEST_NAME = 40

TEXT, INK, MUTED, LINE, GRID = "#17202a", "#2c3a48", "#5c6976", "#c9cfd6", "#eceff3"
OBSERVED, EXPECTED, ALARM, NORMAL = "#0067a5", "#b87400", "#c2410c", "#00805f"
DISCRIMINATOR = "#a1398a"
FALSE_ALARM, ASIDE, SHADE = "#e0a030", "#c3c9d0", "#fbe3d8"
COLOURS = (OBSERVED, FALSE_ALARM, NORMAL, DISCRIMINATOR, ALARM, "#56b4e9", "#7a7500", "#6b4a8e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES = (0, (4, 3))
FONTS = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")
"""the first of those that the machine has; the last comes with matplotlib"""

STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "text.color": TEXT,
    "text.parse_math": False,
    "axes.titlesize": 8.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 1.4,
    "lines.linewidth": 1.1,
    "lines.solid_joinstyle": "round",
    "figure.titlesize": 9.0,
    "figure.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
    "pdf.fonttype": 42,  # TrueType, as journals ask for
    "svg.hashsalt": "anomgan",  # the same picture is the same file
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything that is drawn and written within has this look."""
    there = {font.name for font in fontManager.ttflist}
    fonts = [name for name in FONTS if name in there] or ["sans-serif"]
    with mpl.rc_context(STYLE | {"font.family": fonts}), catch_warnings():
        filterwarnings("ignore", message="Glyph .* missing from font")  # it is drawn as a box, which says as much
        yield


def figure(height: float, width: float = TWO_COLUMNS) -> Figure:
    """A figure of a paper's width, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def form_of(path: Path) -> Form:
    """What a file's ending says; ConfigError for any other."""
    ending = path.suffix.lower().removeprefix(".")
    for form in get_args(Form):
        if ending == form:
            return form  # type: ignore[no-any-return]  # one of Form, which get_args forgets
    raise ConfigError(f"{path}: a picture's file ends in .png, .pdf or .svg")


def image(drawn: Figure, form: Form = "png") -> bytes:
    """A figure as the bytes of a file; the same for the same figure."""
    undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=form, dpi=DPI, metadata=undated[form])
    return buffer.getvalue()


def head(drawn: Figure, title: str, below: str = "") -> None:
    """What is seen, and in smaller print what is to be known of it."""
    lines = wrap(below, round(CHARACTERS * drawn.get_figwidth()))
    drawn.suptitle(title + "\n" * len(lines), x=0.008, ha="left", linespacing=1.4)
    if lines:
        at = 1.0 - 0.23 / drawn.get_figheight()
        drawn.text(0.008, at, "\n".join(lines), va="top", fontsize=SMALL, color=MUTED, linespacing=1.3)


def keys_below(drawn: Figure | SubFigure, keys: Sequence[Artist]) -> None:
    """The legend under a figure, in as many columns as its words leave room for."""
    longest = max(len(str(key.get_label())) for key in keys)
    width = drawn.bbox.width / drawn.get_figure(root=True).dpi
    columns = int(width // (longest / CHARACTERS + KEY_IN))
    drawn.legend(handles=list(keys), loc="outside lower center", ncols=max(1, min(columns, len(keys))))


# ---------------------------------------------------------------- axes


def lanes(axis: Axes, names: Sequence[str]) -> None:
    """Names from top to bottom instead of a scale."""
    axis.set_yticks(range(len(names)), list(names))
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def named(axis: Axes, name: str, unit: str = "") -> None:
    """A name in front of an axis, its unit below, to be read without turning one's head."""
    words = "\n".join(short(one) for one in (name, unit) if one)
    axis.set_ylabel(words, rotation=0, ha="right", va="center")


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """A name beside an axis: printable, and what is long without its middle, for ends tell names apart."""
    name, half = printable(name), (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def level(axis: Axes, value: float, name: str, colour: str = MUTED) -> None:
    """A dashed line across, named where it ends."""
    axis.axhline(value, color=colour, linewidth=0.8, linestyle=DASHES)
    axis.annotate(
        name, (1.0, value), (0, 2), xycoords=axis.get_yaxis_transform(), textcoords="offset points",
        ha="right", va="bottom", color=colour, fontsize=SMALL,
    )  # fmt: skip


def powers(axis: Axes, *, x: bool = True, y: bool = True) -> None:
    """Logarithmic axes with plain numbers and powers of ten."""
    for wanted, one, change in ((x, axis.xaxis, axis.set_xscale), (y, axis.yaxis, axis.set_yscale)):
        if wanted:
            change("log")
            one.set_major_locator(LogLocator(numticks=8))
            one.set_minor_locator(NullLocator())
            one.set_major_formatter(FuncFormatter(lambda value, _: power(value)))


def power(value: float) -> str:
    """0.01, 100, 10⁻⁵."""
    if 1e-3 < value < 1e5:
        return f"{value:g}"
    digits = str(round(float(np.log10(value)))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}"


def clock(times: Floats) -> Moments:
    """Event time as matplotlib wants it: dates where there are dates, else seconds."""
    return np.round(times * 1e6).astype("datetime64[us]") if is_date(times[0]) else times


def label_times(axis: Axes, first_s: float) -> None:
    """Dates along the axis, as short as they can be, and in which zone; or seconds."""
    if not is_date(first_s):
        axis.set_xlabel("seconds")
        return
    locator = AutoDateLocator(minticks=5, maxticks=9)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # the same
    axis.set_xlabel("time, UTC")
