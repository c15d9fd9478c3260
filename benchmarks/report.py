"""What a benchmark found, as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    figures: tuple[str, ...]
    ratio: float
    goal: float | None = None
    """The smallest ratio that meets it."""
    limit: float | None = None
    """The largest ratio that meets it."""


def show(title: str, figures: Sequence[str], ratio: str, rows: Sequence[Row]) -> None:
    """Print a line per row: its figures, its ratio, the goal, and whether that is met."""
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for name in (*figures, ratio, "goal", ""):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.what, *row.figures, number(row.ratio), *_verdict(row))
    Console(width=120).print(table)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _verdict(row: Row) -> tuple[str, str]:
    if row.goal is not None:
        return f"at least {number(row.goal)}", "met" if row.ratio >= row.goal else "missed"
    if row.limit is not None:
        return f"at most {number(row.limit)}", "met" if row.ratio <= row.limit else "missed"
    return "", ""
