"""`metadata`: what this server can do (FHIR R5 http.html#capabilities), read off the code that does it.

Types and search parameters come from the registry, interactions and operations from the views behind the URLs, and what
can be written from the writers.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

from django.conf import settings
from django.urls import URLResolver, get_resolver
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.compartments import COMPARTMENTS
from core.fhir.door import BASE, FhirView
from core.fhir.errors import InvalidResource, Issue, Resource
from core.fhir.media import JSON_PATCH
from core.fhir.registry import TYPES, WRITERS
from core.fhir.resource import ResourceType
from core.fhir.search.parameters import SearchParameter
from core.fhir.search.references import Reference

RELEASED = "2026-11-21"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"

OPERATIONS: Mapping[str, str] = {
    "Patient $everything": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    "Observation $lastn": "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
    "Observation $stats": "http://hl7.org/fhir/OperationDefinition/Observation-stats",
    "* $validate": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    "$export": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
    "Patient $export": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
    "Group $export": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
    "$import": f"{BASE}/OperationDefinition/import",
}
"""Where each operation is defined, by its type (`*` is all of them) and name."""


class CapabilityView(FhirView):
    """`metadata`. No login: clients read here how to log in."""

    interactions = {"GET": "capabilities", "HEAD": "capabilities"}
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        match request.query_params.get("mode", "full"):
            case "full" | "normative":  # that part alone may be asked for, and need not be told apart
                return Response(capability_statement())
            case "terminology":
                return Response(terminology_capabilities())
        raise InvalidResource(Issue("value", "mode must be full, normative or terminology.", "mode"))


@cache
def capability_statement() -> Resource:
    return {**_about("CapabilityStatement", "capability-statement"), **_KIND, "rest": [_rest()]}


def terminology_capabilities() -> Resource:
    """There is no terminology service here."""
    return {**_about("TerminologyCapabilities", "terminology-capabilities"), "kind": "instance", **_IMPLEMENTATION}


_SOFTWARE = "JupyterHealth Exchange with MCP"
_IMPLEMENTATION: Resource = {
    "software": {"name": _SOFTWARE},
    "implementation": {"description": _SOFTWARE, "url": BASE},
}
_KIND: Resource = {
    "kind": "instance",
    **_IMPLEMENTATION,
    "fhirVersion": "5.0.0",
    "format": ["json", "application/fhir+json"],
    "patchFormat": [JSON_PATCH],
}


def _about(resource_type: str, id_: str) -> Resource:
    return {
        "resourceType": resource_type,
        "id": id_,
        "url": f"{BASE}/metadata",
        "status": "active",
        "date": RELEASED,
        "publisher": _SOFTWARE,
    }


def _rest() -> Resource:
    operations = _operations()
    return {
        "mode": "server",
        "security": _security(),
        "resource": [_resource(type_, operations.get(name, [])) for name, type_ in TYPES.items()],
        "interaction": [{"code": code} for code in ("transaction", "batch")],
        **({"operation": operations[""]} if "" in operations else {}),
        "compartment": [f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}" for name in COMPARTMENTS],
    }


def _security() -> Resource:
    endpoints = {"authorize": "/o/authorize/", "token": "/o/token/", "revoke": "/o/revoke_token/"}
    uris = [{"url": name, "valueUri": f"{settings.BASE_URL}{path}"} for name, path in endpoints.items()]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "cors": False,
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR", "display": "SMART-on-FHIR"}]}],
        "description": f"OAuth 2 with SMART v2 scopes: see {BASE}/.well-known/smart-configuration.",
    }


def _resource(type_: ResourceType, operations: list[Resource]) -> Resource:
    interactions = sorted(interactions_of(type_))
    can_change, can_create = "update" in interactions, "create" in interactions
    references = [code for code, parameter in type_.parameters.items() if isinstance(parameter, Reference)]
    # Without conditionalPatch, though there is one: R5 added it, and clients of R4 (fhirclient) cannot read it.
    return {
        "type": type_.name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update" if can_change else "versioned" if "vread" in interactions else "no-version",
        "readHistory": "vread" in interactions,
        "updateCreate": False,
        "conditionalCreate": can_create,
        "conditionalRead": "full-support" if type_.same_for_everybody else "not-supported",
        "conditionalUpdate": can_change,
        "conditionalDelete": "single" if "delete" in interactions else "not-supported",
        "referencePolicy": ["literal"],
        **({"searchInclude": [f"{type_.name}:{code}" for code in references]} if references else {}),
        **({"searchRevInclude": referring} if (referring := _referring_to(type_)) else {}),
        "searchParam": [_parameter(code, parameter) for code, parameter in type_.parameters.items()],
        **({"operation": operations} if operations else {}),
    }


def interactions_of(type_: ResourceType) -> set[str]:
    """Of http://hl7.org/fhir/restful-interaction, of one type and its instances."""
    offered = {"read", "search-type"}
    if type_.history_of is not None:
        offered |= {"vread", "history-instance", "history-type"}
    elif type(type_).versions is not ResourceType.versions:
        offered |= {"vread", "history-instance"}
    return offered | (WRITERS[type_.name].interactions if type_.name in WRITERS else set())


def _referring_to(type_: ResourceType) -> list[str]:
    return [
        f"{other.name}:{code}"
        for other in TYPES.values()
        for code, parameter in other.parameters.items()
        if isinstance(parameter, Reference) and type_.name in parameter.targets
    ]


def _parameter(code: str, parameter: SearchParameter) -> Resource:
    return {
        "name": code,
        "definition": f"http://hl7.org/fhir/SearchParameter/{parameter.definition}",
        "type": parameter.kind,
        **({"documentation": parameter.documentation} if parameter.documentation else {}),
    }


def _operations() -> dict[str, list[Resource]]:
    """By type, "" those of the whole server."""
    found: dict[str, list[Resource]] = {}
    for pattern, view in _views(get_resolver()):
        type_names = [name for name in TYPES if f"<type_name>{name})" in pattern] or _any_type(pattern)
        for type_name, name in product(type_names, sorted(set(view.interactions.values()))):
            definition = OPERATIONS.get(f"{type_name} {name}".strip(), OPERATIONS.get(f"* {name}"))
            operation = {"name": name.removeprefix("$"), "definition": definition}
            if definition and operation not in found.setdefault(type_name, []):
                found[type_name].append(operation)
    return found


def _any_type(pattern: str) -> list[str]:
    return [*TYPES] if "<type_name>" in pattern else [""]


def _views(resolver: URLResolver) -> Iterator[tuple[str, type[FhirView]]]:
    """Those behind the URLs, with the pattern of each."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern)
        else:
            view: Any = getattr(pattern.callback, "view_class", None)
            if isinstance(view, type) and issubclass(view, FhirView):
                yield str(pattern.pattern), view
