"""Reading: one resource, as it is now."""

from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.door import FhirView
from core.fhir.reading import is_known, read
from core.fhir.search.subset import Subset


class InstanceView(FhirView):
    """`[type]/[id]`: read (FHIR R5 http.html#read)."""

    interactions = {"GET": "read", "HEAD": "read"}

    def get(self, request: Request, type_name: str, id_: str) -> Response:
        found = read(self.principal, type_name, id_, Subset.asked(request.query_params.dict()))
        self.touched(found.patient_ids)
        if_none_match = request.headers.get("If-None-Match", "")
        if_modified_since = request.headers.get("If-Modified-Since", "")
        if is_known(found, if_none_match=if_none_match, if_modified_since=if_modified_since):
            return Response(status=304, headers=found.headers)
        return Response(found.resource, headers=found.headers)
