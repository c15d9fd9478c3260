"""SQL files: frozen, versioned ones (`…_v1.sql`), which migrations run and nothing edits once released; and statements
that the code executes, with bound parameters."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from django.db.migrations import RunSQL

_FOR_EVERY_CALLER = re.compile(
    r"\b(?:access(?=_(?:organization|study|patient|enrolment|observation|upload)\b)|granted(?=_observations\b))"
)
"""What answers for narrowed callers too, and has a twin for persons alone: access_study and person_study."""


def run(name: str, *, reverse: str | Sequence[str]) -> RunSQL:
    """The migration step that runs `<name>.sql`; `reverse` is what takes it back."""
    return RunSQL(statement(name), reverse_sql=reverse if isinstance(reverse, str) else list(reverse))


def statement(name: str) -> str:
    """The text of `<name>.sql`."""
    return (Path(__file__).parent / f"{name}.sql").read_text()


@cache
def for_person(sql: str) -> str:
    """A statement over the access views, for persons alone: PostgreSQL plans it in half the time."""
    return _FOR_EVERY_CALLER.sub("person", sql)
