"""Door 2: every FHIR answer, refusals too, leaves through here as FHIR JSON."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from psycopg2.errors import DeadlockDetected
from rest_framework import exceptions, status
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.authentication.door import DoorView
from core.fhir.errors import Issue, operation_outcome, status_and_issues
from core.fhir.media import (
    FhirNegotiation,
    FhirParser,
    FhirRenderer,
    JsonParser,
    JsonPatchParser,
    JsonRenderer,
)
from core.policy.errors import Conflict, DomainError

BASE = f"{settings.BASE_URL}/FHIR/R5"
"""The service base URL (FHIR R5 http.html#general), without a final slash."""

_CODES: dict[int, str] = {
    status.HTTP_401_UNAUTHORIZED: "login",
    status.HTTP_403_FORBIDDEN: "forbidden",
    status.HTTP_404_NOT_FOUND: "not-found",
    status.HTTP_405_METHOD_NOT_ALLOWED: "not-supported",
    status.HTTP_406_NOT_ACCEPTABLE: "not-supported",
    status.HTTP_413_REQUEST_ENTITY_TOO_LARGE: "too-long",
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: "not-supported",
    status.HTTP_429_TOO_MANY_REQUESTS: "throttled",
}


class FhirView(DoorView):
    """One URL. `interactions` maps its methods to names of http://hl7.org/fhir/restful-interaction, or `$operation`."""

    door = "fhir"
    reads_beside_writes = True
    interactions: ClassVar[Mapping[str, str]] = {}
    renderer_classes = (FhirRenderer, JsonRenderer)
    parser_classes = (FhirParser, JsonParser, JsonPatchParser, FormParser)
    content_negotiation_class = FhirNegotiation

    @property
    def asked_for_fhir(self) -> bool:
        """Whether the request names FHIR's own media type, and so wants strict FHIR: no empty arrays."""
        return "fhir+json" in self.request.headers.get("Accept", "")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\0" in request.path or "\0" in unquote(request.META["QUERY_STRING"]):
            raise exceptions.ParseError("A URL holds no character NUL: leave it out.")

    def action_name(self) -> str:
        """As the audit trail and AuditEvent.code name it: `read Patient`, `search-type Observation`, `$lastn …`."""
        interaction = self.interactions.get(str(self.request.method), self.request.method)
        return f"{interaction} {self.kwargs.get('type_name', '')}".strip()

    def handle_exception(self, exc: Exception) -> Response:
        """An OperationOutcome. What is no refusal goes on as it came: Django logs it, and it is a fault of ours."""
        self.note_missing_scope(exc)
        if isinstance(exc.__cause__, DeadlockDetected):
            exc = Conflict("Another request changes the same resources, in another order: send this one again.")
        if isinstance(exc, DomainError):
            set_rollback()
            status_code, issues = status_and_issues(exc)
            return Response(operation_outcome(*issues), status=status_code)
        if isinstance(exc, RequestDataTooBig):
            exc = exceptions.ParseError("The form is too large: send fewer parameters.")
        if isinstance(exc, Http404):
            exc = exceptions.NotFound()
        refused = super().handle_exception(exc)
        code = _CODES.get(refused.status_code, "invalid")
        refused.data = operation_outcome(Issue(code, _sentence(exc)))
        return refused


class UnknownView(FhirView):
    """Whatever the service base URL has no interaction for."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


def _sentence(error: Exception) -> str:
    detail = getattr(error, "detail", None)
    return str(detail) if isinstance(detail, str) else "The request is not understood: see /FHIR/R5/metadata."
