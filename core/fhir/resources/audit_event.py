from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from core.fhir.elements import OUR_CODES, coded, instant, reference
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.resources.people import PEOPLE, clients, users
from core.fhir.search.dates import Date
from core.fhir.search.parameters import NOTHING, Context
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Token
from core.fhir.search.values import token
from core.models import AuditEvent
from core.models.audit import BY_MCP_TOKEN
from core.models.audit_reach import AuditReach
from core.policy.principal import Principal

INTERACTION_SYSTEM = "http://hl7.org/fhir/restful-interaction"
OUTCOME_SYSTEM = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
ROLE_SYSTEM = "http://terminology.hl7.org/CodeSystem/object-role"
DOOR_SYSTEM = f"{OUR_CODES}/door"

OUTCOMES: Mapping[str, tuple[str, str]] = {
    AuditEvent.Outcome.SUCCESS: ("0", "Success"),
    AuditEvent.Outcome.REFUSED: ("4", "Minor failure"),
    AuditEvent.Outcome.FAILED: ("8", "Serious failure"),
}
INTERACTIONS = {
    **dict.fromkeys(("read", "vread", "history-instance", "history-type", "GET"), "R"),
    **dict.fromkeys(("create", "POST"), "C"),
    **dict.fromkeys(("update", "patch", "PUT", "PATCH"), "U"),
    **dict.fromkeys(("delete", "DELETE"), "D"),
    **dict.fromkeys(("search-type", "search-system", "batch", "transaction"), "E"),
}
"""The first word of `action` -> AuditEvent.action; everything else is execution, E."""

TOUCHED = {
    "Patient": Target(column="patient_ids", is_array=True),
    "ResearchStudy": Target(column="study_id"),
}


@dataclass(frozen=True, kw_only=True)  # with slots, super() would not find the class
class InteractionCode(Token):
    """The first word of what was asked."""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        if modifier == "text":
            return super().one(value, modifier, context)
        wanted = token(value)
        if wanted.system not in (None, self.system) or wanted.code not in INTERACTIONS:
            return NOTHING
        return Q(action=wanted.code) | Q(action__startswith=f"{wanted.code} ")


@dataclass(frozen=True, kw_only=True)  # with slots, super() would not find the class
class ActionCode(Token):
    """AuditEvent.action: C, R, U, D or E, which follows from the first word."""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        wanted = token(value).code
        named = [
            Q(action=word) | Q(action__startswith=f"{word} ")
            for word, action in INTERACTIONS.items()
            if wanted == action or (wanted == "E" and action != "E")
        ]
        found = reduce(or_, named, NOTHING)
        return ~found if wanted == "E" else found


@dataclass(frozen=True, kw_only=True)  # with slots, super() would not find the class
class Touched(Reference):
    """An event tells of no other patients than those that the reader watches over, or touched themselves."""

    def _to(self, type_name: str, rows: QuerySet[Any], context: Context) -> Q:
        touching = super()._to(type_name, rows, context)
        reach = AuditReach.of(context.principal)
        if reach.everything or type_name != "Patient":
            return touching
        watched = super()._to(type_name, rows.filter(pk__in=reach.patient_ids), context)
        return watched | touching & Q(user_id__in=reach.actor_ids)

    def from_rows(self, type_name: str, rows: QuerySet[Any], context: Context) -> Q:
        touched = super().from_rows(type_name, rows, context)
        reach = AuditReach.of(context.principal)
        if reach.everything or type_name != "Patient":
            return touched
        by_reader = super().from_rows(type_name, rows.filter(user_id__in=reach.actor_ids), context)
        return touched & Q(pk__in=reach.patient_ids) | by_reader


class AuditEventType(ResourceType):
    """FHIR R5 AuditEvent: one access. What is not the reader's to know is left out (`AuditEvent.as_seen_by`)."""

    name = "AuditEvent"
    search_parameters = {
        "action": ActionCode(definition="AuditEvent-action", code="action"),
        "agent": Reference(definition="AuditEvent-agent", targets=PEOPLE),
        "category": Token(definition="AuditEvent-category", code="door", system=DOOR_SYSTEM),
        "code": InteractionCode(definition="clinical-code", code="action", system=INTERACTION_SYSTEM),
        "date": Date(definition="clinical-date", start="recorded"),
        "entity": Touched(definition="AuditEvent-entity", targets=TOUCHED),
        "outcome": Token(
            definition="AuditEvent-outcome",
            code="outcome",
            system=OUTCOME_SYSTEM,
            names={code: outcome for outcome, (code, _) in OUTCOMES.items()},
        ),
        "patient": Touched(definition="clinical-patient", targets={"Patient": TOUCHED["Patient"]}),
    }
    updated = "recorded"
    default_sort = "-_id"
    same_for_everybody = False

    def special(self, name: str, value: str, context: Context) -> Q | None:
        """`agent:identifier=mcp-token-5`: what was done with that MCP token. Other identifiers are those of people."""
        code = value.removeprefix("|") if name == "agent:identifier" else ""
        return BY_MCP_TOKEN & Q(client_id=code) if code.startswith("mcp-token-") else None

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return AuditEvent.objects.visible_to(principal)

    def version_of(self, row: AuditEvent) -> int:
        return 1

    def patient_ids(self, row: Any) -> Iterable[int]:
        patient_ids: list[int] = row.shown_patients
        return patient_ids

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Any]:
        reach = AuditReach.of(principal)
        seen = [row.as_seen_by(reach) for row in rows]
        for row, shown in zip(rows, seen, strict=True):
            row.shown_patients = shown.patient_ids
        by = users((row.user_id for row in seen), principal)
        through = clients([row.client_id for row in seen])
        return [self._render(row, by.get(row.user_id), through.get(row.client_id)) for row in seen]

    def _render(self, row: AuditEvent, user: Resource | None, client: Resource | None) -> Resource:
        door = coded(DOOR_SYSTEM, row.door)
        outcome, outcome_name = OUTCOMES[row.outcome]
        network = {"networkString": row.source} if row.source else {}
        return {
            "resourceType": "AuditEvent",
            "id": self.id_of(row),
            "meta": {"versionId": "1", "lastUpdated": instant(row.recorded)},
            "category": [door],
            "code": code_of(row.action),
            "action": INTERACTIONS.get(row.action.split(" ")[0], "E"),
            "recorded": instant(row.recorded),
            "outcome": {"code": {"system": OUTCOME_SYSTEM, "code": outcome, "display": outcome_name}},
            **({"patient": reference("Patient", row.patient_ids[0])} if len(row.patient_ids) == 1 else {}),
            "agent": [
                {"who": user or {"display": "Somebody who is no longer known"}, "requestor": True, **network},
                *([{"who": client, "requestor": False}] if client else []),
            ],
            "source": {"observer": {"display": settings.BASE_URL}, "type": [door]},
            **({"entity": _entities(row)} if row.patient_ids or row.study_id else {}),
        }


def code_of(action: str) -> Resource:
    interaction = action.split(" ")[0]
    known = coded(INTERACTION_SYSTEM, interaction) if interaction in INTERACTIONS and interaction.islower() else {}
    return {**known, "text": action}


def _entities(row: AuditEvent) -> list[Resource]:
    patients = [
        {"what": reference("Patient", id_), "role": coded(ROLE_SYSTEM, "1", "Patient")} for id_ in row.patient_ids
    ]
    study = {"what": reference("ResearchStudy", row.study_id), "role": coded(ROLE_SYSTEM, "3", "Report")}
    return [*patients, *([study] if row.study_id else [])]
