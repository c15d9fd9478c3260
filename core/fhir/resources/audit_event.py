from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from core.fhir.elements import OUR_CODES, coded, instant, reference
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.resources.people import clients, users
from core.models import AuditEvent
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


class AuditEventType(ResourceType):
    """FHIR R5 AuditEvent: one access. What is not the reader's to know is left out (`AuditEvent.as_seen_by`)."""

    name = "AuditEvent"
    updated = "recorded"
    default_sort = "-_id"
    same_for_everybody = False

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
