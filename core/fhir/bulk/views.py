"""`$export`: kick-off, status and files (FHIR Bulk Data Access IG 2.0, export.html)."""

import gzip
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.utils.http import http_date
from rest_framework.exceptions import Throttled
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.actions.bulk import TooManyJobs, discard, start_export
from core.fhir.bulk.contents import contents_of
from core.fhir.bulk.kick_off import (
    NDJSON,
    asked_for,
    check_may_export,
    values_of_parameters,
    values_of_query,
)
from core.fhir.bulk.manifest import keep_errors, manifest_of, progress_of, status_url
from core.fhir.bulk.tasks import go_on
from core.fhir.door import FhirView
from core.fhir.errors import Issue, Refused, operation_outcome
from core.fhir.media import JSON, FhirRenderer
from core.fhir.registry import TYPES
from core.fhir.resource import integer_id
from core.models import BulkFile, BulkJob, OrganizationAccess, Study
from core.policy.checks import no_such
from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal

SECONDS_BETWEEN_POLLS = 2
SECONDS_UNTIL_A_JOB_IS_DONE = 60


class KickOffView(FhirView):
    """An answer of 202, with the place to ask how far the job is."""

    def accepted(self, job: BulkJob) -> Response:
        go_on.enqueue(job.pk)
        return Response(status=202, headers={"Content-Location": status_url(job)})

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, TooManyJobs):
            exc = Throttled(SECONDS_UNTIL_A_JOB_IS_DONE, str(exc))
        return super().handle_exception(exc)


class ExportView(KickOffView):
    """`$export`, `Patient/$export`, `Group/[id]/$export`."""

    interactions = {"GET": "$export", "POST": "$export"}

    def get(self, request: Request, **target: str) -> Response:
        return self._start(values_of_query(request.query_params), **target)

    def post(self, request: Request, **target: str) -> Response:
        return self._start(values_of_parameters(request.data), **target)

    @transaction.atomic
    def _start(self, values: Mapping[str, list[str]], type_name: str = "system", id_: str = "") -> Response:
        study = self._study(id_) if type_name == "Group" else None
        if type_name == "system":
            self._check_may_export_all()
        asked = asked_for(type_name, values, self.principal, self.request.headers.get("Prefer", ""))
        job = start_export(
            actor=self.principal,
            door=self.door,
            request=f"{settings.BASE_URL}{self.request.get_full_path()}",
            types=asked.types,
            study=study,
            since=asked.since,
        )
        if asked.ignored:
            keep_errors(job, number=1, outcomes=[operation_outcome(issue) for issue in asked.ignored])
        return self.accepted(job)

    def _study(self, id_: str) -> Study:
        self.require_scope("Group", "r")
        study: Study = TYPES["Group"].get(self.principal, id_)
        return study

    def _check_may_export_all(self) -> None:
        """Rows are gated one by one, here too: a superuser reads observations through consent alone."""
        if not OrganizationAccess.granting(self.principal, Permission.SYSTEM_EXPORT).exists():
            raise PermissionDenied(
                "Only superusers export the whole exchange: use Patient/$export or Group/[id]/$export."
            )


class StatusView(FhirView):
    """How far a job is, and what came of it. Only who asked for the job sees it; to others there is none."""

    interactions = {"GET": "$bulk-status", "DELETE": "$bulk-delete"}

    def get(self, request: Request, job_id: str) -> Response:
        job = job_of(self.principal, job_id)
        if job.finished is None:
            return Response(
                status=202, headers={"X-Progress": progress_of(job), "Retry-After": str(SECONDS_BETWEEN_POLLS)}
            )
        if job.fault:
            raise Refused(500, [Issue("exception", job.fault)])
        return Response(manifest_of(job), content_type=JSON, headers={"Expires": http_date(job.expires.timestamp())})

    def delete(self, request: Request, job_id: str) -> Response:
        discard(actor=self.principal, door=self.door, job=job_of(self.principal, job_id))
        return Response(status=202)


class NdjsonRenderer(FhirRenderer):
    media_type = NDJSON
    format = "ndjson"


class FileView(FhirView):
    """A file, less what its reader may not read any more."""

    interactions = {"GET": "$bulk-file"}

    def get_renderers(self) -> list[BaseRenderer]:
        return [NdjsonRenderer(), *super().get_renderers()]

    def get(self, request: Request, job_id: str, part: str, file_type: str, number: str) -> HttpResponse:
        job = job_of(self.principal, job_id)
        file = (
            job.files.exclude(part=BulkFile.Part.INPUT)
            .filter(part=part, resource_type=file_type, number=int(number))
            .select_related("job")
            .first()
        )
        if file is None:
            raise NotVisible(no_such("file", f"{part}/{file_type}-{number}.ndjson"))
        headers = {"Vary": "Accept-Encoding, Authorization", "Cache-Control": "no-store"}
        if file.part == BulkFile.Part.ERROR:
            return HttpResponse(gzip.decompress(file.content), content_type=NDJSON, headers=headers)
        check_may_export(self.principal, file_type)
        accepted = "gzip" in request.headers.get("Accept-Encoding", "")
        handed_out = contents_of(file_type).handed_out(self.principal, file, gzip_accepted=accepted)
        self.touched(handed_out.patient_ids, study_id=job.study_id)
        if handed_out.is_gzip:
            headers["Content-Encoding"] = "gzip"
        return HttpResponse(handed_out.body, content_type=NDJSON, headers=headers)

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal is no NDJSON, whatever the request accepts."""
        self.request.accepted_renderer = FhirRenderer()
        return super().handle_exception(exc)


def job_of(principal: Principal, job_id: str) -> BulkJob:
    """Raises NotVisible, the same for a foreign job, one that is gone and one that never was."""
    key = integer_id(job_id)
    job = None if key is None else BulkJob.objects.visible_to(principal).filter(pk=key).first()
    if job is None:
        raise NotVisible(no_such("bulk job", job_id))
    return job
