"""Observations by the million, in the database of the measured exchange."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from jhe import embedded

_FILL = Path(__file__).with_name("fill.sql").read_text()


@dataclass(frozen=True, slots=True)
class Filled:
    """A study, its people, and how many readings each of them has."""

    study: int
    people: tuple[int, ...]
    readings: int


@contextmanager
def owner(data_dir: Path) -> Iterator[Any]:
    """A cursor of the database's owner; each statement is a transaction."""
    with closing(psycopg2.connect(embedded.database_url(data_dir))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def fill(data_dir: Path, *, study: str, people: int, readings: int) -> Filled:
    """One more study. `people` consent to it, and each has `readings`."""
    began = time.monotonic()
    with owner(data_dir) as cursor:
        cursor.execute(_FILL, {"study": study, "people": people, "readings": readings})
        cursor.execute("SELECT id FROM filled_study")
        [(study_id,)] = cursor.fetchall()
        cursor.execute("SELECT id FROM filled_people ORDER BY id")
        made = tuple(id_ for (id_,) in cursor.fetchall())
        cursor.execute("VACUUM ANALYZE")
    print(f"{people * readings:,} observations made in {time.monotonic() - began:.0f} s.")
    return Filled(study_id, made, readings)
