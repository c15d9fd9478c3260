"""Frozen, versioned SQL: what the database itself decides. Migrations run it; nothing edits a version once released."""

from pathlib import Path

from django.db.migrations import RunSQL


def run(name: str, *, reverse: str) -> RunSQL:
    """The migration step that runs `<name>.sql`; `reverse` is the statement that takes it back."""
    return RunSQL((Path(__file__).parent / f"{name}.sql").read_text(), reverse_sql=reverse)
