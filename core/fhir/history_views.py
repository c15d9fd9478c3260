"""vread and `_history` (FHIR R5 http.html#vread, #history)."""

from django.utils.http import http_date
from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.door import FhirView
from core.fhir.history import Asked, history, read_version


class VersionView(FhirView):
    """`[type]/[id]/_history/[vid]`."""

    interactions = {"GET": "vread", "HEAD": "vread"}

    def get(self, request: Request, type_name: str, id_: str, version_id: str) -> Response:
        version = read_version(self.principal, type_name, id_, version_id)
        [resource] = version.type_.render([version.row], self.principal)
        self.touched(version.type_.patient_ids(version.row))
        headers = {"ETag": f'W/"{version.version_id}"', "Last-Modified": http_date(version.began.timestamp())}
        return Response(resource, headers=headers)


class HistoryView(FhirView):
    """`[type]/[id]/_history` and `[type]/_history`."""

    interactions = {"GET": "history-instance", "HEAD": "history-instance"}

    def get(self, request: Request, type_name: str, id_: str = "") -> Response:
        bundle, patient_ids = history(self.principal, type_name, id_, Asked.of(request.query_params.dict()))
        self.touched(patient_ids)
        return Response(bundle)


class TypeHistoryView(HistoryView):
    interactions = {"GET": "history-type", "HEAD": "history-type"}
