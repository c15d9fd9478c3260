"""SQL files: frozen, versioned ones (`…_v1.sql`), which migrations run and nothing edits once released; and statements
that the code executes, with bound parameters."""

from collections.abc import Sequence
from pathlib import Path

from django.db.migrations import RunSQL


def run(name: str, *, reverse: str | Sequence[str]) -> RunSQL:
    """The migration step that runs `<name>.sql`; `reverse` is what takes it back."""
    return RunSQL(statement(name), reverse_sql=reverse if isinstance(reverse, str) else list(reverse))


def statement(name: str) -> str:
    """The text of `<name>.sql`."""
    return (Path(__file__).parent / f"{name}.sql").read_text()
