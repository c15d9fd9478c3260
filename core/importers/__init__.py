"""Reads the files that continuous glucose monitors and studies export. Pure Python, row by row, whatever the length.

with path.open(encoding=encoding_of(path), errors="replace") as file:
    for row in read(lines_of(file), formats=FORMATS.values(), zone=ZoneInfo("UTC"), subject="P1"):
        ...  # a Reading, a BadRow or an OtherRow
"""

from core.importers.data_point import BLOOD_GLUCOSE, data_point
from core.importers.formats import FORMATS, Format
from core.importers.reader import BadRow, OtherRow, Reading, UnknownFormat, encoding_of, lines_of, read

__all__ = [
    "BLOOD_GLUCOSE",
    "FORMATS",
    "BadRow",
    "Format",
    "OtherRow",
    "Reading",
    "UnknownFormat",
    "data_point",
    "encoding_of",
    "lines_of",
    "read",
]
