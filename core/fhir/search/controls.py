"""The parameters that say what to do with what is found (FHIR R5 search.html#return)."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.fhir.search.parameters import malformed
from core.fhir.search.subset import Subset

DEFAULT_COUNT = 50
TOTALS = ("none", "estimate", "accurate")
CONTROLS = frozenset(
    {"_count", "_sort", "_include", "_revinclude", "_elements", "_summary", "_total", "_page", "_format", "_pretty"}
)


@dataclass(frozen=True, slots=True)
class Controls:
    count: int
    sort: str
    subset: Subset
    total: str
    cursor: str
    includes: tuple[tuple[str, str], ...]
    """(name with modifiers, value) of each `_include` and `_revinclude`, in the order sent."""

    @property
    def only_count(self) -> bool:
        return self.count == 0 or self.subset.summary == "count"


def controls(parameters: Sequence[tuple[str, str]], *, max_count: int, default_sort: str) -> Controls:
    """Raises InvalidResource for what cannot be."""
    last = {name: value for name, value in parameters if value}
    total = last.get("_total", "none")
    if total not in TOTALS:
        raise malformed("_total", f"must be one of {', '.join(TOTALS)}.")
    return Controls(
        count=min(_count(last.get("_count", str(DEFAULT_COUNT))), max_count),
        sort=",".join(value for name, value in parameters if name == "_sort" and value) or default_sort,
        subset=Subset.asked(last),
        total=total,
        cursor=_cursor(last.get("_page", "")),
        includes=tuple((name, value) for name, value in parameters if name.split(":")[0] in _INCLUDES and value),
    )


_INCLUDES = ("_include", "_revinclude")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise malformed("_count", "must be a whole number from 0.")
    return int(text[:9])


def _cursor(text: str) -> str:
    """The first page may be asked for as page 1."""
    return "" if text == "1" else text
