"""Text from outside, made fit to be shown: no letter of it steers a terminal, ends a line, or turns the writing round.

printable("pump\\x1b[2J")   on one line
one_line(reason, 80)        the same, and not too long
block(lines)                lines of ours in which such text stands: their ends stay

What Unicode does not call printable becomes U+FFFD; an end of a line, a tab or a space of another width a plain space.
"""

from unicodedata import category, combining, east_asian_width

LONGEST = 100
UNPRINTABLE = "\ufffd"
OURS = "\n\t"
BLANK = "\n\t\r"


def printable(text: str) -> str:
    """The same text on one line, with nothing in it but letters that show."""
    return text if text.isprintable() else "".join(map(_shown, text))


def one_line(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text, printable; what is longer ends in dots."""
    shown = printable(text[: longest + 1])
    return shown if len(shown) <= longest else shown[:longest] + "..."


def block(text: str) -> str:
    """Several lines, each printable; ends of lines and tabs are taken for ours."""
    return text if text.isprintable() else "".join(letter if letter in OURS else _shown(letter) for letter in text)


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, most: int) -> str:
    """The beginning of a printable text that fits into so many columns."""
    while columns(text) > most:
        text = text[: min(most, len(text) - 1)]
    return text


def _columns(letter: str) -> int:
    return 0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter in BLANK or category(letter) == "Zs" else UNPRINTABLE
