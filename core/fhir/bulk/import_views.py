"""`$import`: NDJSON that is sent along, so that the exchange fetches nothing from anywhere. docs/bulk.md says how."""

from django.conf import settings
from django.db import transaction
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from core.actions.bulk import start_import
from core.fhir.bulk.importing import IMPORTED, keep_lines
from core.fhir.bulk.kick_off import NDJSON, check_is_async, may
from core.fhir.bulk.views import KickOffView
from core.fhir.errors import InvalidResource, Issue


class ImportView(KickOffView):
    """Each line is created as if it were sent alone, by somebody who may send it."""

    interactions = {"POST": "$import"}

    @transaction.atomic
    def post(self, request: Request) -> Response:
        check_is_async(request.headers.get("Prefer", ""))
        self._check_may_import()
        body = self._sent()
        job = start_import(
            actor=self.principal, door=self.door, request=f"{settings.BASE_URL}{request.get_full_path()}"
        )
        keep_lines(job, body)
        return self.accepted(job)

    def _sent(self) -> bytes:
        """The bytes themselves: a line that is no JSON is refused for itself."""
        body = self.request.stream.read() if self.request.stream else b""
        if not body.strip():
            raise InvalidResource(Issue("required", "The body is empty: send a resource a line, as NDJSON."))
        media_type = (self.request.content_type or "").partition(";")[0].strip().lower()
        if media_type not in (NDJSON, "application/ndjson"):
            raise UnsupportedMediaType(media_type or "none", f"Send the body as {NDJSON}.")
        return body

    def _check_may_import(self) -> None:
        """For some type at least; each line is asked about again."""
        if not any(may(self.principal, name, "c") for name in IMPORTED):
            self.require_scope("Observation", "c")
