"""The formats, each known by the headings of its columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Format:
    """Headings as regular expressions, upper and lower case alike. A file without a subject column is of one person."""

    name: str
    title: str
    time: str
    glucose: str
    """Its group `unit`, where there is one, is the unit; otherwise it is mg/dL."""
    subject: str | None = None
    kind: tuple[str, str] | None = None
    """The column that tells kinds of rows apart, and what it says of glucose readings."""

    def layout(self, headings: Sequence[str]) -> "Layout | None":
        """Where the columns are, if this row of cells is the format's heading."""
        time, glucose = _place(self.time, headings), _place(self.glucose, headings)
        subject = _place(self.subject, headings) if self.subject else None
        kind = _place(self.kind[0], headings) if self.kind else None
        if time is None or glucose is None or (self.subject and subject is None) or (self.kind and kind is None):
            return None
        match = re.fullmatch(self.glucose, headings[glucose].strip(), re.IGNORECASE)
        unit = match.groupdict().get("unit") if match else None
        return Layout(self, time, glucose, subject, kind, "mmol/L" if unit and "mmol" in unit.lower() else "mg/dL")


@dataclass(frozen=True, slots=True)
class Layout:
    """A format in a file: the place of each column, and the unit of the glucose."""

    format: Format
    time: int
    glucose: int
    subject: int | None
    kind: int | None
    unit: str


FORMATS = {
    known.name: known
    for known in (
        Format("hall", "Hall 2018, as the R package iglu carries it", time="time", glucose="gl", subject="id"),
        Format(
            "dexcom",
            "Dexcom Clarity",
            time=r"timestamp( \(.*\))?",
            glucose=r"glucose( value)?( \((?P<unit>.*)\))?",
            kind=(r"event[ _]type", "EGV"),
        ),
        # Type 0 is what the sensor records every 15 minutes. Scans (1) are the same sensor's values whenever somebody
        # looked, strips (2) another measurement: both would bend the metrics. iglu, too, reads type 0 alone.
        Format(
            "libreview",
            "FreeStyle LibreView",
            time="device timestamp",
            glucose=r"historic glucose ?\(?(?P<unit>mg/dL|mmol/L)\)?",
            kind=("record type", "0"),
        ),
        Format("cgmacros", "CGMacros, minute by minute", time="timestamp", glucose="dexcom gl"),
    )
}

_DAY_FIRST = re.compile(r"\d{1,2}[-/]\d{1,2}[-/]\d{4} \d{1,2}:\d{2}", re.ASCII)
_MONTH_FIRST = re.compile(r"\d{1,2}[-/]\d{1,2}[-/]\d{4} \d{1,2}:\d{2} [AP]M", re.ASCII)


def local_time(text: str) -> datetime:
    """ISO 8601, or LibreView's `DD-MM-YYYY HH:MM` and, where hours end at twelve, `MM-DD-YYYY HH:MM AM`.

    Raises ValueError.
    """
    if _DAY_FIRST.fullmatch(text):
        return datetime.strptime(text.replace("/", "-"), "%d-%m-%Y %H:%M")
    if _MONTH_FIRST.fullmatch(text):
        return datetime.strptime(text.replace("/", "-"), "%m-%d-%Y %I:%M %p")
    return datetime.fromisoformat(text)


def _place(heading: str, headings: Sequence[str]) -> int | None:
    pattern = re.compile(heading, re.IGNORECASE)
    return next((place for place, cell in enumerate(headings) if pattern.fullmatch(cell.strip())), None)
