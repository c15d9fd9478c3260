"""Reading: one resource, as it is now."""

from django.utils.http import http_date
from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.door import FhirView
from core.fhir.registry import type_named


class InstanceView(FhirView):
    """`[type]/[id]`: read (FHIR R5 http.html#read)."""

    interactions = {"GET": "read"}

    def get(self, request: Request, type_name: str, id_: str) -> Response:
        type_ = type_named(type_name)
        self.require_scope(type_.name, "r")
        row = type_.get(self.principal, id_)
        self.touched(type_.patient_ids(row))
        [resource] = type_.render([row], self.principal)
        return Response(
            resource,
            headers={
                "ETag": f'W/"{type_.version_of(row)}"',
                "Last-Modified": http_date(row.last_updated.timestamp()),
            },
        )
