"""Several types in one Bundle, one after the other, in pages: `Patient/$everything`, and compartments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.fhir.registry import TYPES
from core.fhir.search.bundle import link, searchset
from core.fhir.search.controls import controls
from core.fhir.search.cursor import seal, unseal
from core.fhir.search.parameters import malformed
from core.fhir.search.query import parse
from core.fhir.searching import Found, Shown
from core.models import Patient
from core.policy.errors import InvalidInput, PermissionDenied
from core.policy.principal import Principal
from core.policy.scopes import check_scope

MAX_PAGE = 1_000

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Segment:
    """A search that is a part of the whole."""

    type_name: str
    criteria: tuple[tuple[str, str], ...]
    through: str = ""
    """Another type that the criteria look at."""


def everything(principal: Principal, patient_id: str, parameters: Parameters) -> Found:
    """What the caller may read of a patient (FHIR R5 patient-operation-everything.html).

    Parameters: `_since`, `_type`, `_count`, and of observations `start` and `end`. What the token has no scope for is
    left out, unless `_type` names it. Raises NotVisible for a patient that the caller may not read.
    """
    check_scope(principal, "Patient", "r")
    TYPES["Patient"].get(principal, patient_id)
    return in_turn(principal, _record(principal, patient_id), parameters, path=f"Patient/{patient_id}/$everything")


def own_id(principal: Principal) -> str:
    """The id of the patient who asks. Raises InvalidInput for everybody else."""
    patient_id = Patient.objects.filter(user=principal.user_id).values_list("pk", flat=True).first()
    if patient_id is None:
        raise InvalidInput("You are no patient here: ask for Patient/[id]/$everything.")
    return str(patient_id)


def _record(principal: Principal, patient_id: str) -> list[Segment]:
    """The patient, what the record refers to, and what refers to the patient."""
    groups = parse(TYPES["Group"], TYPES, principal, [("member", patient_id)])
    studies = TYPES["Group"].visible_to(principal).filter(*groups.conditions).values_list("pk", flat=True)
    return [
        Segment("Patient", (("_id", patient_id),)),
        Segment("Organization", (("_has:Patient:organization:_id", patient_id),), "Patient"),
        Segment("ResearchStudy", (("_id", ",".join(map(str, studies))),), "Group"),
        Segment("Consent", (("patient", patient_id),)),
        Segment("Device", (("_has:Observation:device:patient", patient_id),), "Observation"),
        Segment("Observation", (("patient", patient_id),)),
        Segment("Provenance", (("patient", patient_id),)),
    ]


def in_turn(principal: Principal, segments: Sequence[Segment], parameters: Parameters, *, path: str) -> Found:
    """A page over the segments, which begins where the page before ended."""
    given = dict(parameters)
    asked = controls([("_count", str(MAX_PAGE)), *parameters], max_count=MAX_PAGE, default_sort="_id")
    understood = [(name, value) for name, value in parameters if name in _UNDERSTOOD and value]
    identity = repr((principal.user_id, path, [pair for pair in understood if pair[0] != "_page"]))
    place, after = unseal(asked.cursor, belongs_to=identity) if asked.cursor else (0, None)
    shown, room = Shown(principal, asked.subset), max(asked.count, 1)
    wanted = _wanted(principal, segments, given.get("_type", ""))
    while place < len(wanted) and room:
        page = _page(principal, wanted[place], given, room, after)
        shown.add(page[0], page[1], "match")
        room -= len(page[1])
        after = page[2]
        if after is not None:
            break
        place += 1
    base = [pair for pair in understood if pair[0] != "_page"]
    links = [link("self", path, understood)]
    if place < len(wanted):
        links.append(link("next", path, [*base, ("_page", seal([place, after], belongs_to=identity))]))
    return Found(searchset(links, shown.entries, None), shown.patient_ids)


_UNDERSTOOD = frozenset(
    {"_since", "_type", "_count", "_elements", "_summary", "_page", "_format", "_pretty", "start", "end"}
)


def _wanted(principal: Principal, segments: Sequence[Segment], types: str) -> list[Segment]:
    """Those that `_type` names; without it, those that the token has the scope for."""
    named = [name.strip() for name in types.split(",") if name.strip()]
    if unknown := [name for name in named if name not in {segment.type_name for segment in segments}]:
        raise malformed("_type", f"{unknown[0][:64]} is not among {', '.join(s.type_name for s in segments)}.")
    if named:
        asked = [segment for segment in segments if segment.type_name in named]
        for segment in asked:
            _check_covered(principal, segment)
        return asked
    return [segment for segment in segments if _is_covered(principal, segment)]


def _check_covered(principal: Principal, segment: Segment) -> None:
    check_scope(principal, segment.type_name, "s")
    if segment.through:
        check_scope(principal, segment.through, "s")


def _is_covered(principal: Principal, segment: Segment) -> bool:
    try:
        _check_covered(principal, segment)
    except PermissionDenied:
        return False
    return True


def _page(
    principal: Principal, segment: Segment, given: dict[str, str], count: int, after: list[Any] | None
) -> tuple[Any, list[Any], list[Any] | None]:
    """(type, rows, where the next page begins) of one segment."""
    type_ = TYPES[segment.type_name]
    criteria = [*segment.criteria]
    if since := given.get("_since"):
        criteria.append(("_lastUpdated", f"ge{since}"))
    if type_.name == "Observation":
        criteria += [("date", f"{prefix}{given[name]}") for name, prefix in _PERIOD if given.get(name)]
    search = parse(type_, TYPES, principal, [("_count", str(count))], within=criteria)
    page = type_.page(replace(search, after=after))
    return type_, page.rows, page.next


_PERIOD = (("start", "ge"), ("end", "le"))
