"""Reading and searching; what writes is mixed in from core/fhir/write_views.py."""

from django.http import QueryDict
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.compartments import everything_within, search_within
from core.fhir.door import FhirView
from core.fhir.everything import everything, own_id
from core.fhir.prefer import Preference
from core.fhir.reading import is_known, read
from core.fhir.search.subset import Subset
from core.fhir.searching import Found, search
from core.fhir.validating import Validation
from core.fhir.write_views import InstanceWrites, TypeWrites, Writes


class Searches(FhirView):
    """What views that answer a searchset have in common."""

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Those of the URL, and of the form that POST sends (FHIR R5 http.html#search)."""
        sent: list[QueryDict] = [self.request.query_params]
        if self.request.method == "POST":
            if not isinstance(self.request.data, QueryDict):
                raise UnsupportedMediaType(str(self.request.content_type))
            sent.append(self.request.data)
        return [(name, value) for query in sent for name, values in query.lists() for value in values]

    @property
    def is_strict(self) -> bool:
        return Preference.of(self.request.headers.get("Prefer", "")).handling == "strict"

    def answer_found(self, found: Found) -> Response:
        self.touched(found.patient_ids, study_id=found.study_id)
        if found.parameters:
            self.detail = {"parameters": found.parameters}  # their names: values can be names of people
        bundle = found.bundle
        if self.asked_for_fhir and not bundle["entry"]:
            bundle = {name: value for name, value in bundle.items() if name != "entry"}
        return Response(bundle)


class TypeView(TypeWrites, Searches):
    """`[type]`: search (FHIR R5 http.html#search), and create."""

    interactions = {
        "GET": "search-type",
        "HEAD": "search-type",
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete",
    }

    def get(self, request: Request, type_name: str) -> Response:
        return self.answer_found(search(self.principal, type_name, self.parameters, strict=self.is_strict))


class SearchView(Searches):
    """`[type]/_search`: a search whose parameters come as a form."""

    interactions = {"POST": "search-type"}

    def post(self, request: Request, type_name: str) -> Response:
        return self.answer_found(search(self.principal, type_name, self.parameters, strict=self.is_strict))


class InstanceView(InstanceWrites):
    """`[type]/[id]`: read (FHIR R5 http.html#read), and what changes it."""

    interactions = {"GET": "read", "HEAD": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

    def get(self, request: Request, type_name: str, id_: str) -> Response:
        found = read(self.principal, type_name, id_, Subset.asked(request.query_params.dict()))
        self.touched(found.patient_ids)
        if_none_match = request.headers.get("If-None-Match", "")
        if_modified_since = request.headers.get("If-Modified-Since", "")
        if is_known(found, if_none_match=if_none_match, if_modified_since=if_modified_since):
            return Response(status=304, headers=found.headers)
        return Response(found.resource, headers=found.headers)


class CompartmentView(Searches):
    """`[type]/[id]/[type]` and `[type]/[id]/*`: a search of what belongs to somebody (FHIR R5 http.html#vsearch)."""

    interactions = {"GET": "search-compartment", "HEAD": "search-compartment"}

    def get(self, request: Request, owner: str, id_: str, type_name: str) -> Response:
        return self.answer_found(self.found(owner, id_, type_name))

    def found(self, owner: str, id_: str, type_name: str) -> Found:
        if type_name == "*":
            return everything_within(self.principal, owner, id_, self.parameters)
        return search_within(self.principal, owner, id_, type_name, self.parameters, strict=self.is_strict)


class CompartmentSearchView(CompartmentView):
    """The same with `/_search`, and the parameters as a form."""

    interactions = {"POST": "search-compartment"}
    http_method_names = ["post"]

    def post(self, request: Request, owner: str, id_: str, type_name: str) -> Response:
        return self.answer_found(self.found(owner, id_, type_name))


class EverythingView(Searches):
    """`Patient/[id]/$everything`, and `Patient/$everything` for the patient themself."""

    interactions = {"GET": "$everything", "HEAD": "$everything"}

    def get(self, request: Request, type_name: str, id_: str = "") -> Response:
        return self.answer_found(everything(self.principal, id_ or own_id(self.principal), self.parameters))


class ValidateView(Writes):
    """`[type]/$validate` and `[type]/[id]/$validate`."""

    interactions = {"POST": "$validate"}

    def post(self, request: Request, type_name: str, id_: str = "") -> Response:
        mode = request.query_params.get("mode", "")
        sent = self.resource_sent() if mode != "delete" else None
        return Response(Validation.of(type_name, id_, sent, mode).outcome(self.principal))
