"""What a job tells of itself: how far it is, and where its files are (Bulk Data Access IG 2.0, export.html)."""

import gzip
from collections.abc import Iterable

import orjson
from django.db.models import Sum

from core.fhir.door import BASE
from core.fhir.elements import instant
from core.fhir.errors import Resource
from core.models import BulkFile, BulkJob


def status_url(job: BulkJob) -> str:
    return f"{BASE}/bulk/{job.pk}"


def progress_of(job: BulkJob) -> str:
    """The header X-Progress: a line for people, 100 characters at most."""
    if job.kind == BulkJob.Kind.IMPORT:
        sent = job.files.filter(part=BulkFile.Part.INPUT).aggregate(lines=Sum("count"))["lines"]
        return f"{job.position.get('lines', 0)} of {sent} lines"
    done = job.files.filter(part=BulkFile.Part.OUTPUT).aggregate(lines=Sum("count"))["lines"] or 0
    return f"{done} resources" if job.transaction_time else "in the queue"


def manifest_of(job: BulkJob) -> Resource:
    """`count` is what was readable when it was exported: a file that is fetched later can have fewer lines.

    An import has `outcome` in place of files: how many lines were recorded, known already, and refused.
    """
    files = job.files.exclude(part=BulkFile.Part.INPUT).defer("content", "keys", "patient_ids").order_by("pk")
    listed = {part: [_listed(file) for file in files if file.part == part] for part in BulkFile.Part}
    manifest: Resource = {
        "transactionTime": instant(job.transaction_time or job.created),
        "request": job.request,
        "requiresAccessToken": True,
        "output": listed[BulkFile.Part.OUTPUT],
        "deleted": [],
        "error": listed[BulkFile.Part.ERROR],
    }
    if job.kind == BulkJob.Kind.IMPORT:
        manifest["outcome"] = {name: job.position[name] for name in ("recorded", "known", "refused")}
    return manifest


def keep_errors(job: BulkJob, *, number: int, outcomes: Iterable[Resource]) -> None:
    """A file of OperationOutcomes, which the manifest lists under `error`."""
    lines = [orjson.dumps(outcome, option=orjson.OPT_APPEND_NEWLINE) for outcome in outcomes]
    BulkFile.objects.create(
        job=job,
        part=BulkFile.Part.ERROR,
        resource_type="OperationOutcome",
        number=number,
        count=len(lines),
        content=gzip.compress(b"".join(lines)),
    )


def _listed(file: BulkFile) -> Resource:
    name = f"{file.part}/{file.resource_type}-{file.number}.ndjson"
    return {"type": file.resource_type, "url": f"{BASE}/bulk/{file.job_id}/{name}", "count": file.count}
