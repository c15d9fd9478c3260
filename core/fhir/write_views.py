"""Create, update, patch and delete over HTTP (FHIR R5 http.html#create and on)."""

from typing import Any

from django.utils.http import http_date
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir import conditional, writing
from core.fhir.bundle import Processor, process
from core.fhir.bundle_one import OneByOne
from core.fhir.door import FhirView
from core.fhir.errors import InvalidResource, Issue, Resource, operation_outcome
from core.fhir.media import JSON_PATCH
from core.fhir.observation_uploads import create_observations
from core.fhir.prefer import Preference
from core.fhir.registry import WRITERS
from core.fhir.writing import Changed
from core.models import AuditEvent

_NOT_OF_WRITERS = ("GET", "HEAD")


class Writes(FhirView):
    """What the views of a type and of an instance have in common."""

    def resource_sent(self) -> Any:
        self.check_media("application/json", "application/fhir+json")
        sent = self.request.data
        # A view and its request hold each other until the collector comes by; what was sent need not wait for it.
        vars(self.request).update(_full_data=None, _data=None)
        return sent

    def check_media(self, *accepted: str) -> None:
        """Forms are for searches, and a patch is no resource."""
        sent = (self.request.content_type or "").partition(";")[0].strip().lower()
        if sent not in accepted:
            raise UnsupportedMediaType(sent or "none", f"Send the body as {' or '.join(accepted)}.")

    def answer(self, changed: Changed) -> Response:
        """With what `Prefer: return=` asks for (FHIR R5 http.html#return); the resource, where it says nothing."""
        if changed.row is None:
            return Response(status=changed.status)
        type_, row = changed.type_, changed.row
        headers = {
            "ETag": f'W/"{type_.version_of(row)}"',
            "Last-Modified": http_date(type_.updated_at(row).timestamp()),
        }
        if changed.status == 201:
            headers["Location"] = f"{type_.url_of(row)}/_history/{type_.version_of(row)}"
        match Preference.of(self.request.headers.get("Prefer", "")).what_returned:
            case "minimal":
                body: Any = None
            case "OperationOutcome":
                sentence = f"{type_.name}/{type_.id_of(row)} is in version {type_.version_of(row)}."
                body = operation_outcome(Issue("informational", sentence, severity="information"))
            case _:
                [body] = type_.render([row], self.principal)
        return Response(body, status=changed.status, headers=headers)

    @property
    def allowed_methods(self) -> list[str]:
        """What the header Allow names (RFC 9110 §10.2.1): what this type offers, not what the URL's view could do."""
        writer = WRITERS.get(self.kwargs.get("type_name", ""))
        offered = writer.interactions if writer else frozenset()
        return [
            method
            for method in super().allowed_methods
            if method in self.interactions and (self.interactions[method] in offered or method in _NOT_OF_WRITERS)
        ]

    @property
    def if_match(self) -> str:
        return str(self.request.headers.get("If-Match", ""))


class TypeWrites(Writes):
    """`[type]`: create, alone or on condition; the conditional forms of the rest take their resource by a query."""

    def post(self, request: Request, type_name: str) -> Response:
        resource = self.resource_sent()
        query = request.headers.get("If-None-Exist", "") or self.conditional_query()
        if query:
            return self.answer(conditional.create_unless(self.principal, type_name, resource, query))
        return self.answer(writing.create(self.principal, type_name, resource))

    def put(self, request: Request, type_name: str) -> Response:
        resource = self.resource_sent()
        return self.answer(
            conditional.update_matching(
                self.principal, type_name, self.needed_query(), resource, if_match=self.if_match
            )
        )

    def patch(self, request: Request, type_name: str) -> Response:
        self.check_media(JSON_PATCH)
        query = self.needed_query()
        return self.answer(
            conditional.patch_matching(self.principal, type_name, query, request.data, if_match=self.if_match)
        )

    def delete(self, request: Request, type_name: str) -> Response:
        query = self.needed_query()
        return self.answer(conditional.delete_matching(self.principal, type_name, query, if_match=self.if_match))

    def conditional_query(self) -> str:
        """The URL's own query, without what is about the answer and not about the condition."""
        return "&".join(
            part
            for part in self.request.META["QUERY_STRING"].split("&")
            if part and part.partition("=")[0] not in ("_format", "_pretty", "_summary", "_elements")
        )

    def needed_query(self) -> str:
        query = self.conditional_query()
        if not query:
            raise InvalidResource(Issue("required", "Say which resource: by its id in the URL, or by a query."))
        return query


class InstanceWrites(Writes):
    """`[type]/[id]`: update, patch, delete."""

    def put(self, request: Request, type_name: str, id_: str) -> Response:
        resource = self.resource_sent()
        return self.answer(writing.update(self.principal, type_name, id_, resource, if_match=self.if_match))

    def patch(self, request: Request, type_name: str, id_: str) -> Response:
        self.check_media(JSON_PATCH)
        return self.answer(writing.patch(self.principal, type_name, id_, request.data, if_match=self.if_match))

    def delete(self, request: Request, type_name: str, id_: str) -> Response:
        return self.answer(writing.delete(self.principal, type_name, id_, if_match=self.if_match))


class SystemWrites(Writes):
    """`[base]`: a Bundle of requests, `batch` or `transaction` (FHIR R5 http.html#transaction).

    The response holds resources only when `Prefer: return=representation` asks for them: a thousand are much to send.
    """

    interactions = {"POST": "transaction"}
    allowed_methods = ["POST"]

    def post(self, request: Request) -> Response:
        bundle = self.resource_sent()
        with_resources = Preference.of(request.headers.get("Prefer", "")).what_returned == "representation"
        one_by_one = OneByOne(with_resources=with_resources)
        answer = process(self.principal, bundle, Processor(one_by_one, create_observations))
        self.touched(one_by_one.patient_ids)
        if refused := [place for place, entry in enumerate(answer.get("entry", [])) if _is_refused(entry)]:
            detail = {"entries": len(answer["entry"]), "refused": refused}
            self.leave_audit_row(self.principal, AuditEvent.Outcome.REFUSED, detail)
        return Response(answer)


def _is_refused(entry: Resource) -> bool:
    status: str = entry["response"]["status"]
    return status >= "400"
