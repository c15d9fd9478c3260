"""What belongs to somebody: `Patient/[id]/Observation`, `Patient/[id]/*` (FHIR R5 compartmentdefinition.html)."""

from collections.abc import Mapping, Sequence

from core.fhir.everything import Segment, in_turn
from core.fhir.registry import TYPES
from core.fhir.searching import Found, search
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from core.policy.scopes import check_scope

COMPARTMENTS: Mapping[str, Mapping[str, str]] = {
    "Device": {"Observation": "device"},
    "Patient": {
        "AuditEvent": "patient",
        "Consent": "subject",
        "Group": "member",
        "Observation": "subject",
        "Provenance": "patient",
    },
    "Practitioner": {"AuditEvent": "agent", "PractitionerRole": "practitioner"},
}
"""Whose compartment -> what is in it -> the parameter that says so."""


def search_within(
    principal: Principal, owner: str, id_: str, type_name: str, parameters: Sequence[tuple[str, str]], *, strict: bool
) -> Found:
    """A search in one compartment. Raises NotVisible when the owner is not there to see."""
    parameter = COMPARTMENTS.get(owner, {}).get(type_name)
    if parameter is None:
        raise NotVisible(no_such(f"{type_name[:64]} in the compartment of", f"{owner[:64]}"))
    _check_owner(principal, owner, id_)
    within = [(parameter, f"{owner}/{id_}")]
    return search(principal, type_name, parameters, strict=strict, within=within, path=f"{owner}/{id_}/{type_name}")


def everything_within(principal: Principal, owner: str, id_: str, parameters: Sequence[tuple[str, str]]) -> Found:
    """All types of one compartment, one after the other."""
    if owner not in COMPARTMENTS:
        raise NotVisible(no_such("compartment", owner[:64]))
    _check_owner(principal, owner, id_)
    segments = [Segment(name, ((code, f"{owner}/{id_}"),)) for name, code in COMPARTMENTS[owner].items()]
    return in_turn(principal, segments, parameters, path=f"{owner}/{id_}/*")


def _check_owner(principal: Principal, owner: str, id_: str) -> None:
    check_scope(principal, owner, "r")
    TYPES[owner].get(principal, id_)
