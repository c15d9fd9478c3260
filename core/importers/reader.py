"""The rows of a CGM file, whichever format: readings, bad rows, and rows of other kinds."""

import codecs
import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TextIO

from core.importers.clock import LocalClock, NoSuchTime
from core.importers.formats import Format, Layout, local_time

HEADING_WITHIN = 50
"""Lines that may stand before the heading."""

PLAUSIBLE = {"mg/dL": (10, 1000), "mmol/L": (0.5, 55)}
"""What a glucose reading can be at all; a value outside is a slip, often of the unit."""

YEARS = range(1990, 2200)
"""Studies shift their dates to hide people, so years to come are not a mistake."""

LONGEST_SUBJECT = 100

LONGEST_LINE = 100_000
"""Characters. A cell stays below what the csv module takes."""

_DECIMAL = re.compile(r"-?[0-9]+([.,][0-9]*)?")

MISSING = frozenset({"", "NA", "NaN", "null"})


@dataclass(frozen=True, slots=True)
class Reading:
    line: int
    format: str
    subject: str
    """The person, as the file or the caller names them."""
    time: datetime
    """With the offset of the local time."""
    mark: str
    """Tells this reading from the person's others in this format: the local time, as the device showed it."""
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    reason: str
    """Says which cell is wrong and how, without its content."""


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A row that holds no glucose reading and need not: a meal, insulin, a scan, a minute without a value."""

    line: int


class UnknownFormat(ValueError):  # noqa: N818 - says what it is about
    pass


class _Unreadable(Exception):  # noqa: N818
    """Why a row is bad."""


def encoding_of(path: Path) -> str:
    """By the byte-order mark: UTF-16 where there is one, or UTF-8 with or without. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def lines_of(file: TextIO) -> Iterator[str]:
    """The file line by line, in flat memory: of a line that is too long only the beginning, which `read` refuses."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith("\n"):
            line = file.readline(LONGEST_LINE + 1)


def read(
    lines: Iterable[str], *, formats: Collection[Format], zone: tzinfo, subject: str
) -> Iterator[Reading | BadRow | OtherRow]:
    """Each row below the heading, as it comes. `subject` is the person of a file that is of one person.

    Raises UnknownFormat when the heading of none of `formats` is found.
    """
    numbered = enumerate(lines, start=1)
    layout = _heading(numbered, formats)
    clocks: defaultdict[str, LocalClock] = defaultdict(lambda: LocalClock(zone))
    for number, line in numbered:
        if line.strip():
            try:
                yield _row(number, _cells(line), layout, clocks, subject)
            except _Unreadable as error:
                yield BadRow(number, str(error))


def _heading(numbered: Iterable[tuple[int, str]], formats: Collection[Format]) -> Layout:
    for number, line in numbered:
        try:
            cells = _cells(line)
        except _Unreadable:
            continue
        for known in formats:
            if layout := known.layout(cells):
                return layout
        if number == HEADING_WITHIN:
            break
    names = " or ".join(f"{known.title} ({known.name})" for known in formats)
    raise UnknownFormat(f"none of the first {HEADING_WITHIN} lines is the heading of {names}")


def _cells(line: str) -> list[str]:
    if len(line) > LONGEST_LINE:
        raise _Unreadable(f"the line has more than {LONGEST_LINE:,} characters")
    # Line by line, so that a quote that is never closed costs its own line only.
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise _Unreadable("a quoted cell does not end on this line") from error


def _row(
    number: int, cells: list[str], layout: Layout, clocks: defaultdict[str, LocalClock], subject: str
) -> Reading | OtherRow:
    try:
        if layout.kind is not None and layout.format.kind and cells[layout.kind].strip() != layout.format.kind[1]:
            return OtherRow(number)
        glucose = cells[layout.glucose].strip()
        if glucose in MISSING:
            return OtherRow(number)
        person = subject if layout.subject is None else cells[layout.subject].strip()
        moment, mark = _time(cells[layout.time].strip(), clocks[person])
    except IndexError as error:
        raise _Unreadable("the row is cut short: it has fewer cells than the heading") from error
    if not (person.isprintable() and 0 < len(person) <= LONGEST_SUBJECT):
        raise _Unreadable(f"whose reading it is takes 1 to {LONGEST_SUBJECT} printable characters")
    return Reading(number, layout.format.name, person, moment, mark, _value(glucose, layout.unit), layout.unit)


def _time(text: str, clock: LocalClock) -> tuple[datetime, str]:
    try:
        local = local_time(text)
        moment = clock.moment(local)
    except NoSuchTime as error:
        raise _Unreadable(
            "this local time never was: clocks were moved forward over it. If the device's clock was not, give the "
            "zone that it kept, such as --timezone Etc/GMT+5"
        ) from error
    except ValueError as error:
        raise _Unreadable("the time is no date and time of the calendar") from error
    if moment.year not in YEARS:
        raise _Unreadable(f"the year is not between {YEARS.start} and {YEARS.stop}")
    return moment, local.isoformat() + (" again" if moment.fold else "")


def _value(text: str, unit: str) -> float:
    if text.lower() in ("low", "high"):
        raise _Unreadable(
            f"'{text}' stands for a glucose that the device could not measure: there is no number to keep"
        )
    if not _DECIMAL.fullmatch(text):
        raise _Unreadable("the glucose is not a decimal number such as 100 or 5.5")
    value = float(text.replace(",", "."))
    lowest, highest = PLAUSIBLE[unit]
    if not lowest <= value <= highest:
        raise _Unreadable(f"the glucose is not between {lowest} and {highest} {unit}")
    return value
