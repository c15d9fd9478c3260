"""Named SQL: each `<name>.sql` is one question, one SELECT; the loader sets it into `frame.sql`.

A question gives one row (body, patient_ids): `body` the answer as JSON, NULL when what was asked for is not there for
this caller; `patient_ids` the patients whose data the answer holds, for the audit row. No row is the same as two NULLs.

Parameters are written `:name` and bound, never pasted. Beside a question's own there are always:
`:user_id`, the caller as the access views know them (a person, or what a token or the endpoint is narrowed to);
`:token_studies`, the studies that the token's claims leave (NULL: they narrow nothing);
`:may_<resource>_<action>`, the roles that grant a permission, for `role = ANY(:may_study_read)`.

What several questions have in common is in `parts/`, and stands where they say `/* include <part> */`.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.policy.views import for_person

_FOLDER = Path(__file__).parent
_PLACE = "/* the question */"
_INCLUDE = re.compile(r"/\* include (\w+) \*/")
_PARAMETER_OR_SKIPPED = re.compile(
    r"""
    '(?:[^']|'')*' | "[^"]*" | --[^\n]* | /\*.*?\*/ | ::   # literals, quoted names, comments and casts stay
    | :(?P<name>[a-z][a-z0-9_]*)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    sql: str
    """The statement with `$1`, `$2` … for `parameters`, in their order."""
    parameters: tuple[str, ...]


@cache
def question(name: str, *, for_narrowed: bool) -> Question:
    """The framed statement of `<name>.sql`."""
    return _question(name, _text("frame").replace(_PLACE, _text(name)), for_narrowed)


@cache
def unframed(name: str, *, for_narrowed: bool) -> Question:
    """`<name>.sql` alone, for what a call asks after its audit row is written."""
    return _question(name, _text(name), for_narrowed)


def _question(name: str, sql: str, for_narrowed: bool) -> Question:
    return Question(name, *numbered(sql if for_narrowed else for_person(sql)))


def _text(name: str) -> str:
    return _INCLUDE.sub(lambda part: _text(f"parts/{part[1]}"), (_FOLDER / f"{name}.sql").read_text())


def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """`:name` becomes `$n`, a repeated name the same `$n`; returns the statement and the names in order."""
    positions: dict[str, int] = {}

    def place(match: re.Match[str]) -> str:
        name = match["name"]
        return match[0] if name is None else f"${positions.setdefault(name, len(positions) + 1)}"

    return _PARAMETER_OR_SKIPPED.sub(place, sql), tuple(positions)
