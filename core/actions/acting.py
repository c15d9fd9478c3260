"""On whose behalf the database changes: what the consent history and the audit trail say of a write."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from core.actions.audit import record_access
from core.models import AuditEvent
from core.policy.principal import Principal

_READ = """
SELECT current_setting('jhe.user_id', true), current_setting('jhe.client_id', true), current_setting('jhe.method', true)
"""
_WRITE = """
SELECT set_config('jhe.user_id', %s, true), set_config('jhe.client_id', %s, true), set_config('jhe.method', %s, true)
"""


@contextmanager
def acting(actor: Principal | None, *, door: str, how: str = "") -> Iterator[None]:
    """One transaction, all of whose consent changes are remembered as made by `actor` through `door`.

    `how` says by what means the patient answered, where that was not the door itself: "paper form". `actor` is None
    where nobody logged in: a command on the machine itself. Inside another transaction it is a savepoint, and what was
    said before stands again afterwards.
    """
    method = f"{door}: {how}" if how else door
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_READ)
        before = [value or "" for value in cursor.fetchone()]
        cursor.execute(_WRITE, [str(actor.user_id), actor.client_id, method] if actor else ["", "", method])
        yield
        cursor.execute(_WRITE, before)


def record_write(
    actor: Principal | None,
    *,
    door: str,
    action: str,
    patient_ids: Iterable[int],
    study_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """The audit row of a write, in the write's own transaction: neither is there without the other."""
    record_access(
        door=door,
        action=action,
        outcome=AuditEvent.Outcome.SUCCESS,
        user_id=actor.user_id if actor else None,
        client_id=actor.client_id if actor else "",
        token_key=actor.token_key if actor else "",
        study_id=study_id,
        patient_ids=patient_ids,
        source=actor.source if actor else "",
        detail=detail,
    )
