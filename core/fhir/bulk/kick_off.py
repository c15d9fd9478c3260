"""What a kick-off asks for (FHIR Bulk Data Access IG 2.0, export.html): from a query, or from a Parameters resource."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.http import QueryDict

from core.fhir.errors import InvalidResource, Issue
from core.fhir.prefer import Preference
from core.fhir.structure import check_structure
from core.policy.errors import PermissionDenied
from core.policy.principal import Principal
from core.policy.scopes import Interaction, check_scope

NDJSON = "application/fhir+ndjson"
_SPELLINGS = (NDJSON, "application/ndjson", "ndjson")

_OF_PATIENTS = ("Patient", "Consent", "Device", "Observation")
TYPES_OF: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "system": (
            *("Organization", "Practitioner", "PractitionerRole", "ResearchStudy", "Group"),
            *_OF_PATIENTS,
        ),
        "Group": ("Organization", "ResearchStudy", "Group", *_OF_PATIENTS),
        "Patient": _OF_PATIENTS,
    }
)
"""What an export of each level holds when nothing narrows it, in its order."""

_REFUSED = MappingProxyType(
    {
        "_typeFilter": "export the whole type, or search for what you need",
        "_elements": "take the elements that you need from the resources",
        "_until": "use _since, and leave out what is younger",
        "patient": "export a Group, or leave out the other patients",
        "includeAssociatedData": "name the types that you need in _type",
        "organizeOutputBy": "the files are by type",
        "allowPartialManifests": "wait for all of it",
    }
)
"""Parameters of the standard that are not supported, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    types: list[str]
    since: datetime | None
    ignored: list[Issue]
    """Under `Prefer: handling=lenient`: what was asked for and is not heeded."""


def asked_for(level: str, values: Mapping[str, Sequence[str]], principal: Principal, header: str) -> Asked:
    """What an export is to hold, from its parameters and its header Prefer.

    Raises InvalidResource for what cannot be, and PermissionDenied for a type that the token was not given for.
    """
    prefer = check_is_async(header)
    for spelling in values.get("_outputFormat", ()):
        if spelling.replace(" ", "+") not in _SPELLINGS:  # an unescaped + arrives as a space
            raise InvalidResource(Issue("not-supported", f"_outputFormat must be {NDJSON}: there is no other.", ""))
    ignored = [_unheeded(name) for name in values if name not in ("_outputFormat", "_type", "_since")]
    if ignored and prefer.handling != "lenient":
        raise InvalidResource(*ignored)
    return Asked(_types(level, values.get("_type", ()), principal), _since(values.get("_since", ())), ignored)


def check_is_async(header: str) -> Preference:
    """FHIR R5 async.html#3.2.6.1: there is no other way to get such an answer."""
    prefer = Preference.of(header)
    if not prefer.is_async:
        raise InvalidResource(Issue("required", "This takes its time: send the header Prefer: respond-async."))
    return prefer


def values_of_query(query: QueryDict) -> dict[str, list[str]]:
    return {name: values for name, values in query.lists() if name != "_format"}


def values_of_parameters(body: Any) -> dict[str, list[str]]:
    """The same of a Parameters resource: `_type` may repeat, each value is of the primitive type that fits it."""
    values: dict[str, list[str]] = {}
    for parameter in check_structure(body, "Parameters").get("parameter", []):
        given = [str(value) for name, value in parameter.items() if name.startswith("value")]
        values.setdefault(parameter["name"], []).extend(given)
    return values


def may(principal: Principal, type_name: str, *interactions: Interaction) -> bool:
    """Whether the token was given for all of these."""
    try:
        for interaction in interactions:
            check_scope(principal, type_name, interaction)
    except PermissionDenied:
        return False
    return True


def check_may_export(principal: Principal, type_name: str) -> None:
    """SMART App Launch 2.2: an export reads and searches. Raises PermissionDenied."""
    check_scope(principal, type_name, "r")
    check_scope(principal, type_name, "s")


def _types(level: str, given: Iterable[str], principal: Principal) -> list[str]:
    """Those that are named, or all that the token was given for."""
    named = {name.strip() for value in given for name in value.split(",")}
    offered = TYPES_OF[level]
    if unknown := sorted(named - set(offered)):
        raise InvalidResource(
            Issue("not-supported", f"_type {unknown[0][:64]} is not exported here: name some of {', '.join(offered)}.")
        )
    chosen = [name for name in offered if name in named or (not named and may(principal, name, "r", "s"))]
    for name in chosen or ["Observation"]:
        check_may_export(principal, name)
    return chosen


def _since(given: Sequence[str]) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given[0].replace(" ", "+"))
    except ValueError:
        moment = datetime.min
    if len(given) > 1 or moment.tzinfo is None:
        raise InvalidResource(Issue("value", "_since must be one instant with its offset: 2026-11-01T00:00:00Z."))
    return moment


def _unheeded(name: str) -> Issue:
    if name in _REFUSED:
        return Issue("not-supported", f"{name} is not supported: {_REFUSED[name]}.")
    return Issue("not-supported", f"An export has no parameter {name[:64]}: leave it out.")
