"""CSV and Parquet files as columns of cells that still know which line they came from.

Two readers of CSV stand behind `read_table`: a fast one for plain files (polars; nothing quoted, no blank line,
every line as many fields as the header) and an exact one for all others, which also finds the line to blame.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomgan.errors import DataError

_SEPARATORS = ("\t", ";", "|", ",")
_SNIFFED_LINES = 20
_CHUNK = 16_384
_PARQUET = b"PAR1"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or Excel workbook; export it as CSV",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"\x89HDF": "an HDF5 file; export it as CSV or Parquet",
}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one file, all of the same height T.

    From CSV every cell is text, null where empty, and lines (T,) are lines of the file counted from 1; from
    Parquet cells have their types and lines are rows counted from 0.
    """

    path: str
    frame: pl.DataFrame
    lines: NDArray[np.int64]
    separator: str = ""

    def __len__(self) -> int:
        return self.frame.height

    def place(self, row: int) -> str:
        """Where a row stands, for messages: `pump.csv, line 17` or `pump.parquet, row 15`."""
        return f"{self.path}, {'line' if self.separator else 'row'} {self.lines[row]}"

    def rows(self, wanted: slice) -> "Table":
        """The table cut to a slice of rows; they keep their places."""
        return replace(self, frame=self.frame[wanted], lines=self.lines[wanted])


def read_table(path: str | Path) -> Table:
    """The table in a CSV or Parquet file, told apart by content; DataError names the file, the line and why not."""
    raw = read_bytes(path)
    return _read_parquet(str(path), raw) if raw.startswith(_PARQUET) else _read_csv_table(str(path), raw)


def column_names(path: str | Path) -> tuple[str, ...]:
    """The names of a file's columns, as they stand in its header."""
    raw = read_bytes(path)
    if raw.startswith(_PARQUET):
        return tuple(_read_parquet(str(path), raw).frame.columns)
    return _read_header(str(path), _decode(str(path), raw))[0]


def read_bytes(path: str | Path) -> bytes:
    """A file's content; DataError where there is none to be had."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a directory, not a file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


# ---------------------------------------------------------------- Parquet


def _read_parquet(path: str, raw: bytes) -> Table:
    try:
        frame = pl.read_parquet(io.BytesIO(raw))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: a damaged Parquet file ({str(error).splitlines()[0]})") from None
    if frame.height == 0:
        raise DataError(f"{path}: columns and not a single row")
    return Table(path, frame, np.arange(frame.height))


# ---------------------------------------------------------------- CSV


def _read_csv_table(path: str, raw: bytes) -> Table:
    text = _decode(path, raw)
    names, separator, first = _read_header(path, text)
    table = _read_plain(path, text, names, separator, first) or _read_exact(path, text, names, separator)
    last = names[-1]
    if last.startswith("column ") and table.frame[last].is_null().all():  # every line ends with a separator
        table = replace(table, frame=table.frame.drop(last))
    return table


def _decode(path: str, raw: bytes) -> str:
    """Bytes as text; DataError names what they are instead, or the line that is not UTF-8."""
    for magic, kind in _FOREIGN.items():
        if raw.startswith(magic):
            raise DataError(f"{path}: this is {kind}")
    if raw and path.lower().endswith((".parquet", ".pq")):
        raise DataError(f"{path}: not a Parquet file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty")
    if "\0" in text:
        raise DataError(f"{path}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL byte; this is not CSV")
    return text


def _read_header(path: str, text: str) -> tuple[tuple[str, ...], str, int]:
    """(column names, separator, the line the header ends on); a nameless column is called `column N`."""
    separator = _sniff(text)
    first, cells = next(_records(path, text, separator))
    names = tuple(cell.strip() or f"column {n}" for n, cell in enumerate(cells, 1))
    for n, name in enumerate(names):
        if name in names[:n]:
            raise DataError(f"{path}, line {first}: two columns are called {name!r}")
    numbers = [name for name in names if _is_number(name)]
    if len(numbers) == len(names) and list(names) != [str(n) for n in range(len(names))]:
        raise DataError(f"{path}, line {first}: values where a header with column names is expected")
    return names, separator, first


def _sniff(text: str) -> str:
    """The separator: the one in which the first lines agree with the header, else the most frequent in the header."""
    head = [line for line in text[:100_000].splitlines()[: _SNIFFED_LINES + 1] if line.strip()]
    counts = {s: [len(row) for row in csv.reader(head, delimiter=s)] for s in _SEPARATORS}
    several = [s for s in _SEPARATORS if counts[s] and counts[s][0] > 1]
    agreeing = [s for s in several if len(set(counts[s][:-1] or counts[s])) == 1]
    if agreeing:
        return agreeing[0]
    return max(several, key=lambda s: counts[s][0], default=",")


def _records(path: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(the line it begins on, its cells) of every record that is not blank; DataError for a broken quotation."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}") from None


def _read_plain(path: str, text: str, names: tuple[str, ...], separator: str, first: int) -> Table | None:
    """The fast reader; None where the file is not plain, so that the exact one must look at it."""
    quoted_or_blank = '"' in text or "\n\n" in text or "\n\r\n" in text or text.count("\r") not in (0, text.count("\n"))
    if quoted_or_blank or first != 1 or "\n" not in text.rstrip("\r\n"):
        return None
    try:
        frame = pl.read_csv(
            text.encode(), separator=separator, has_header=False, skip_rows=1, infer_schema=False, quote_char=None
        )
    except pl.exceptions.PolarsError:
        return None
    # A line of too few fields is filled up in silence, a line of too many is an error: so the total tells.
    if frame.width != len(names) or text.count(separator) != (frame.height + 1) * (len(names) - 1):
        return None
    frame.columns = list(names)
    return Table(path, _strip(frame), np.arange(frame.height) + 2, separator)


def _read_exact(path: str, text: str, names: tuple[str, ...], separator: str) -> Table:
    """The exact reader; DataError for the first line whose fields do not fit the header."""
    records = _records(path, text, separator)
    next(records)  # the header
    lines: list[int] = []
    rows: list[list[str]] = []
    parts: list[pl.DataFrame] = []
    schema = dict.fromkeys(names, pl.String)
    for line, cells in records:
        if len(cells) != len(names):
            raise DataError(f"{path}, line {line}: {len(cells)} fields where the header has {len(names)}")
        lines.append(line)
        rows.append(cells)
        if len(rows) == _CHUNK:
            parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    if not lines:
        raise DataError(f"{path}: a header and not a single row")
    parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return Table(path, _strip(pl.concat(parts)), np.array(lines), separator)


def _strip(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells without the blanks around them; empty ones null."""
    stripped = pl.all().str.strip_chars()
    return frame.select(pl.when(stripped != "").then(stripped).name.keep())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
