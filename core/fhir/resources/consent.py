from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from core.fhir.elements import OUR_DEFINITIONS, coded, instant, kind_of_data, reference, resource
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType, integer_id
from core.fhir.search.dates import Date
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Fixed
from core.models import CodeableConcept, ConsentHistory, StudyPatient, StudyPatientScopeConsent
from core.policy.permissions import Permission
from core.policy.principal import Principal

CATEGORY_SYSTEM = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
STUDY_CONTEXT = "http://hl7.org/fhir/StructureDefinition/consent-ResearchStudyContext"
REFUSED = f"{OUR_DEFINITIONS}/consent-refused-code"
"""An extension: a kind of data that the patient has said no to, which is more than not having answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    code_id: int
    consented: bool
    time: datetime


class ConsentType(ResourceType):
    """FHIR R5 Consent: a patient's answers to one study, under the id `[study]-[patient]`.

    The base is that nothing is shared (`decision` deny); each yes is an exception to it, a `provision` with the kind of
    data and since when. A version begins with each change of an answer, so the version is the number of changes.
    """

    name = "Consent"
    search_parameters = {
        "category": Fixed(definition="Consent-category", code="research", system=CATEGORY_SYSTEM),
        "date": Date(definition="clinical-date", documentation="When the last answer was given.", start="answered"),
        "grantee": Reference(
            definition="Consent-grantee", targets={"Organization": Target(column="study__organization_id")}
        ),
        "patient": Reference(definition="clinical-patient", targets={"Patient": Target(column="patient_id")}),
        "status": Fixed(definition="Consent-status", code="active", system="http://hl7.org/fhir/consent-state-codes"),
        "subject": Reference(definition="Consent-subject", targets={"Patient": Target(column="patient_id")}),
    }

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        of_both = {"study": OuterRef("study_id"), "patient": OuterRef("patient_id")}
        answers = StudyPatientScopeConsent.objects.filter(**of_both)
        latest = answers.order_by().values("study").annotate(latest=Max("consented_time")).values("latest")
        of_both_ids = {"study_id": OuterRef("study_id"), "patient_id": OuterRef("patient_id")}
        changes = ConsentHistory.objects.filter(**of_both_ids).order_by().values("study_id")
        return (
            StudyPatient.objects.visible_to(principal, Permission.CONSENT_READ)
            .filter(Exists(answers))
            .annotate(
                answered=Subquery(latest),
                version_id=Subquery(changes.annotate(changes=Count("pk")).values("changes")),
                last_updated=Subquery(changes.annotate(latest=Max("recorded")).values("latest")),
            )
        )

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("study__organization")

    def has_id(self, ids: Iterable[str]) -> Q:
        found = Q(pk__in=[])
        for id_ in ids:
            study, _, patient = id_.partition("-")
            if (study_id := integer_id(study)) is not None and (patient_id := integer_id(patient)) is not None:
                found |= Q(study_id=study_id, patient_id=patient_id)
        return found

    def id_of(self, row: StudyPatient) -> str:
        return f"{row.study_id}-{row.patient_id}"

    def patient_ids(self, row: StudyPatient) -> Iterable[int]:
        return [row.patient_id]

    def versions(self, row: StudyPatient) -> list[Any]:
        """The row as it was in each version, the newest first; they are rendered like the row."""
        answers: dict[int, Answer] = {}
        states: list[Any] = []
        for change in ConsentHistory.objects.filter(study_id=row.study_id, patient_id=row.patient_id):
            if change.after is None:
                answers.pop(change.code_id, None)
            else:
                time = change.consented_time or change.recorded
                answers[change.code_id] = Answer(change.code_id, change.after, time)
            state: Any = copy(row)
            state.version_id, state.last_updated = len(states) + 1, change.recorded
            state.answers = [answers[code_id] for code_id in sorted(answers)]
            states.append(state)
        return states[::-1]

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Any]:
        current = _answers([row for row in rows if not hasattr(row, "answers")])
        answers = [getattr(row, "answers", None) or current[row.pk] for row in rows]
        codes = CodeableConcept.objects.in_bulk({answer.code_id for given in answers for answer in given})
        return [self._render(row, given, codes) for row, given in zip(rows, answers, strict=True)]

    def _render(self, row: Any, answers: Sequence[Answer], codes: dict[int, CodeableConcept]) -> Resource:
        study = row.study
        return resource(
            row,
            "Consent",
            self.id_of(row),
            extension=[
                {"url": STUDY_CONTEXT, "valueReference": reference("ResearchStudy", study.pk, study.name)},
                *(
                    {"url": REFUSED, "valueCodeableConcept": kind_of_data(codes[answer.code_id])}
                    for answer in answers
                    if not answer.consented
                ),
            ],
            status="active",
            category=[coded(CATEGORY_SYSTEM, "research", "Research Information Access")],
            subject=reference("Patient", row.patient_id),
            date=max((answer.time for answer in answers), default=row.last_updated).date().isoformat(),
            grantee=[reference("Organization", study.organization_id, study.organization.name)],
            decision="deny",
            provision=[
                {"period": {"start": instant(answer.time)}, "code": [kind_of_data(codes[answer.code_id])]}
                for answer in answers
                if answer.consented
            ],
        )


def _answers(rows: Sequence[StudyPatient]) -> dict[int, list[Answer]]:
    """What each of these patients has answered by now, by the enrolment's key, in the order of the codes."""
    enrolments = {(row.study_id, row.patient_id): row.pk for row in rows}
    given = StudyPatientScopeConsent.objects.filter(
        study__in={study for study, _ in enrolments}, patient__in={patient for _, patient in enrolments}
    ).order_by("code")
    found: dict[int, list[Answer]] = defaultdict(list)
    for answer in given:
        if key := enrolments.get((answer.study_id, answer.patient_id)):
            found[key].append(Answer(answer.code_id, answer.consented, answer.consented_time))
    return found
