"""Jobs of bulk export and import: asked for, and given up. What they do is done by a worker (core/fhir/bulk)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.actions.acting import record_write
from core.actions.audit import record_access
from core.actions.narrowings import copy_for
from core.models import AuditEvent, BulkJob, Study, User
from core.policy.errors import Conflict
from core.policy.principal import Principal

MOST_UNFINISHED = {BulkJob.Kind.EXPORT: 3, BulkJob.Kind.IMPORT: 20}
MOST_KEPT = {BulkJob.Kind.EXPORT: 30, BulkJob.Kind.IMPORT: 1_000}
"""Of one person at a time, finished ones and their files included."""


class TooManyJobs(Conflict):
    pass


def start_export(
    *,
    actor: Principal,
    door: str,
    request: str,
    types: list[str],
    study: Study | None = None,
    since: datetime | None = None,
) -> BulkJob:
    """A job that will export these types of resources, of one study when it is given. Raises TooManyJobs.

    The caller has fetched the study with STUDY_READ; each row's rights are looked up when it is read, and again when it
    is handed out.
    """
    fields = {"request": request, "types": types, "study": study, "since": since}
    return _start(BulkJob.Kind.EXPORT, actor=actor, door=door, **fields)


def start_import(*, actor: Principal, door: str, request: str) -> BulkJob:
    """A job that will import the files that the caller gives it in the same transaction. Raises TooManyJobs."""
    return _start(BulkJob.Kind.IMPORT, actor=actor, door=door, request=request)


@transaction.atomic
def _start(kind: BulkJob.Kind, *, actor: Principal, door: str, **fields: Any) -> BulkJob:
    User.objects.select_for_update().get(pk=actor.user_id)  # two at once shall not both be the last one allowed
    kept = BulkJob.objects.kept_for(actor.user_id).filter(kind=kind)
    if kept.unfinished().count() >= MOST_UNFINISHED[kind]:
        raise TooManyJobs(f"You have {MOST_UNFINISHED[kind]} unfinished {kind}s: wait for one, or delete one.")
    if kept.count() >= MOST_KEPT[kind]:
        raise TooManyJobs(f"You have {MOST_KEPT[kind]} {kind}s: delete those whose files you have.")
    job = BulkJob.objects.create(
        kind=kind,
        user_id=actor.user_id,
        client_id=actor.client_id,
        token_key=actor.token_key,
        scopes=" ".join(sorted(actor.scopes)),
        permissions=None if actor.permissions is None else sorted(actor.permissions),
        source=actor.source,
        **fields,
    )
    if actor.narrowing_id is not None:
        copy_for(job, actor.narrowing_id)
    record_write(actor, door=door, action=f"start_{kind.value}", patient_ids=[], study_id=job.study_id)
    return job


@transaction.atomic
def discard(*, actor: Principal, door: str, job: BulkJob) -> None:
    """The job ends where it is, and its files are gone. The caller has fetched it with `visible_to`."""
    job.delete()
    record_write(actor, door=door, action=f"discard_{job.kind}", patient_ids=[], study_id=job.study_id)


@transaction.atomic
def finish(*, door: str, job: BulkJob, fault: str = "") -> None:
    """The job is done, or failed with a sentence that says why; its audit row tells whose data went into its files."""
    read = {id_ for ids in job.files.values_list("patient_ids", flat=True) for id_ in ids}
    BulkJob.objects.filter(pk=job.pk).update(finished=timezone.now(), fault=fault)
    record_access(
        door=door,
        action=f"finish_{job.kind}",
        outcome=AuditEvent.Outcome.FAILED if fault else AuditEvent.Outcome.SUCCESS,
        user_id=job.user_id,
        client_id=job.client_id,
        token_key=job.token_key,
        study_id=job.study_id,
        patient_ids=sorted(read),
        source=job.source,
        detail={"job": job.pk},
    )
