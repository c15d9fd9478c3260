"""On whose behalf the database changes: what the triggers of core/sql write into the consent history."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from core.policy.principal import Principal

_READ = """
SELECT current_setting('jhe.user_id', true), current_setting('jhe.client_id', true), current_setting('jhe.method', true)
"""
_WRITE = """
SELECT set_config('jhe.user_id', %s, true), set_config('jhe.client_id', %s, true), set_config('jhe.method', %s, true)
"""


@contextmanager
def acting(actor: Principal | None, *, method: str) -> Iterator[None]:
    """One transaction, all of whose consent changes are remembered as `actor`'s and as made by `method`.

    `actor` is None where nobody logged in: a command on the machine itself. Inside another transaction it is a
    savepoint, and what was said before stands again afterwards.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_READ)
        before = [value or "" for value in cursor.fetchone()]
        cursor.execute(_WRITE, [str(actor.user_id), actor.client_id, method] if actor else ["", "", method])
        yield
        cursor.execute(_WRITE, before)
