"""What export and import have in common: on whose behalf, and how far."""

from collections.abc import Mapping

from core.models import BulkJob
from core.policy.permissions import Permission
from core.policy.principal import Principal


def principal_of(job: BulkJob) -> Principal:
    """Who asked for the job, with the scopes, narrowing and permissions of the token that they asked with.

    Rows are looked up as this person at the moment of each step, so a right that is gone is gone here too.
    """
    return Principal(
        user_id=job.user_id,
        user_type=job.user.user_type,
        client_id=job.client_id,
        scopes=frozenset(job.scopes.split()),
        token_key=job.token_key,
        source=job.source,
        narrowing_id=job.narrowing.pk if hasattr(job, "narrowing") else None,
        permissions=None if job.permissions is None else frozenset(map(Permission, job.permissions)),
    )


def moved(job: BulkJob, position: Mapping[str, object], **fields: object) -> bool:
    """Keep how far the job is; false when it is gone, or when somebody else has moved it."""
    unchanged = BulkJob.objects.filter(pk=job.pk, position=job.position, finished__isnull=True)
    job.position = dict(position)
    return unchanged.update(position=position, attempts=0, **fields) == 1
