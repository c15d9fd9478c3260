"""SQL files: frozen, versioned ones (`…_v1.sql`), which migrations run and nothing edits once released; and statements
that the code executes, with bound parameters."""

from pathlib import Path

from django.db.migrations import RunSQL


def run(name: str, *, reverse: str) -> RunSQL:
    """The migration step that runs `<name>.sql`; `reverse` is the statement that takes it back."""
    return RunSQL(statement(name), reverse_sql=reverse)


def statement(name: str) -> str:
    """The text of `<name>.sql`."""
    return (Path(__file__).parent / f"{name}.sql").read_text()
