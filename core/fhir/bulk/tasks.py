"""The task that goes on with a job. The queue (django-tasks-db) only says when; what to do is in the job's own row."""

import logging
from time import monotonic

from django.db import reset_queries
from django.db.models import F
from django.utils import timezone
from django_tasks import TaskResultStatus, task
from django_tasks_db.models import DBTaskResult

from core.actions.bulk import finish
from core.fhir.bulk.export import next_file
from core.fhir.bulk.importing import next_batch
from core.fhir.bulk.lock import sole_worker
from core.models import BulkJob
from core.models.bulk import KEPT_FOR

logger = logging.getLogger(__name__)

SECONDS_AT_A_TIME = 5.0
"""Then the next job has its turn, and a worker that is told to end does."""
MOST_ATTEMPTS = 5
"""Begun so often without getting on, a job is given up: it may be what ends the worker."""

_STEPS = {BulkJob.Kind.EXPORT: next_file, BulkJob.Kind.IMPORT: next_batch}


@task()
def go_on(job_id: int) -> None:
    """Do a part of the job, and ask for another turn if it is not finished by then."""
    with sole_worker(job_id) as it_is_ours:
        if it_is_ours and _do_a_part(job_id):
            go_on.enqueue(job_id)


def _do_a_part(job_id: int) -> bool:
    """Whether there is more to do."""
    BulkJob.objects.filter(pk=job_id).update(attempts=F("attempts") + 1)
    job = BulkJob.objects.unfinished().select_related("user").filter(pk=job_id).first()
    if job is None:
        return False
    if job.attempts > MOST_ATTEMPTS:
        finish(door="fhir", job=job, fault="The job failed several times in a row. Ask again, or for less at once.")
        return False
    ends = monotonic() + SECONDS_AT_A_TIME
    try:
        while _STEPS[BulkJob.Kind(job.kind)](job):
            reset_queries()  # development would remember every statement, with all that it carried
            if monotonic() >= ends:
                return True
    except Exception as error:  # noqa: BLE001 - the worker's outermost line: a traceback could hold what a row holds
        logger.error("Bulk job %s stopped (%s) and will be tried again.", job_id, type(error).__name__)
    return False


def reconcile() -> None:
    """Jobs that are not finished and that no worker and no place in the queue has go back into the queue."""
    waiting = DBTaskResult.objects.filter(status=TaskResultStatus.READY, task_path=go_on.module_path)
    queued = set(waiting.values_list("args_kwargs__args__0", flat=True))
    for job_id in BulkJob.objects.unfinished().exclude(pk__in=queued).values_list("pk", flat=True):
        with sole_worker(job_id) as nobodys:
            if nobodys:
                go_on.enqueue(job_id)


def expire() -> None:
    """Jobs older than a day go, with their files; and what the queue remembers of tasks that old."""
    BulkJob.objects.filter(expires__lte=timezone.now()).delete()
    old = timezone.now() - KEPT_FOR
    DBTaskResult.objects.exclude(status=TaskResultStatus.READY).filter(enqueued_at__lt=old).delete()
