from typing import Any

from core.actions.consents import record_consents, take_back_answers
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.resources.consent import REFUSED, STUDY_CONTEXT
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import CodeableConcept, StudyPatient, StudyPatientScopeConsent
from core.policy.errors import Conflict, NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ConsentWriter(Writer):
    """FHIR R5 Consent: a patient's answers to one study. A provision is a yes, an extension of ours a no.

    The patient answers, or a member of the study's organization records what the patient said.
    """

    name = "Consent"

    def create(self, principal: Principal, resource: Resource) -> str:
        enrolment = _enrolment(principal, _study_id(resource), _patient_id(resource))
        id_ = f"{enrolment.study_id}-{enrolment.patient_id}"
        if _given(enrolment):
            raise Conflict(f"Consent/{id_} is there already: update it.")
        self._answer(principal, enrolment, _answers(resource))
        return id_

    def update(self, principal: Principal, row: StudyPatient, resource: Resource) -> None:
        if (_study_id(resource), _patient_id(resource)) != (row.study_id, row.patient_id):
            sentence = "A consent keeps its patient and its study: create another one."
            raise Unprocessable(Issue("business-rule", sentence, "Consent.subject"))
        self._answer(principal, _enrolment(principal, row.study_id, row.patient_id), _answers(resource))

    def delete(self, principal: Principal, row: StudyPatient) -> None:
        """Every answer is taken back; the history stays."""
        enrolment = _enrolment(principal, row.study_id, row.patient_id)
        self._take_back(principal, enrolment, _given(enrolment))

    def _answer(self, principal: Principal, enrolment: StudyPatient, answers: dict[int, bool]) -> None:
        if gone := _given(enrolment) - answers.keys():
            self._take_back(principal, enrolment, gone)
        record_consents(actor=principal, door=DOOR, patient=enrolment.patient, study=enrolment.study, answers=answers)

    def _take_back(self, principal: Principal, enrolment: StudyPatient, codes: set[int]) -> None:
        scopes = {enrolment.study_id: codes}
        take_back_answers(actor=principal, door=DOOR, patient=enrolment.patient, scopes=scopes)


def _enrolment(principal: Principal, study_id: int, patient_id: int) -> StudyPatient:
    """The enrolment whose answers the caller may write: their own, or one in a study of their organization."""
    of_both = StudyPatient.objects.filter(study=study_id, patient=patient_id).select_related("study", "patient")
    enrolment = of_both.visible_to(principal, Permission.CONSENT_WRITE).first()
    if enrolment is None:
        if of_both.visible_to(principal, Permission.CONSENT_READ).exists():
            raise PermissionDenied(f"Your role in study {study_id} does not include {Permission.CONSENT_WRITE}.")
        raise NotVisible(f"No patient {patient_id} that you can see takes part in study {study_id}.")
    return enrolment


def _given(enrolment: StudyPatient) -> set[int]:
    given = StudyPatientScopeConsent.objects.filter(study=enrolment.study_id, patient=enrolment.patient_id)
    return set(given.values_list("code_id", flat=True))


def _patient_id(resource: Resource) -> int:
    return parts.referenced(parts.required(resource, "subject", "it is somebody's"), "Patient", "Consent.subject")


def _study_id(resource: Resource) -> int:
    for place, extension in enumerate(resource.get("extension", [])):
        if extension["url"] == STUDY_CONTEXT:
            at = f"Consent.extension[{place}].valueReference"
            return parts.referenced(extension.get("valueReference"), "ResearchStudy", at)
    sentence = f"Consent.extension needs the study, as the valueReference of {STUDY_CONTEXT}."
    raise Unprocessable(Issue("required", sentence, "Consent.extension"))


def _answers(resource: Resource) -> dict[int, bool]:
    """Every kind of data that is answered: {code: yes or no}."""
    answers: dict[int, bool] = {}
    for place, provision in enumerate(resource.get("provision", [])):
        for concept in provision.get("code", []):
            answers[_code(concept, f"Consent.provision[{place}].code")] = True
    for place, extension in enumerate(resource.get("extension", [])):
        if extension["url"] == REFUSED:
            at = f"Consent.extension[{place}].valueCodeableConcept"
            code_id = _code(extension.get("valueCodeableConcept", {}), at)
            if code_id in answers:
                raise Unprocessable(Issue("business-rule", f"{at} says no to what a provision says yes to.", at))
            answers[code_id] = False
    return answers


def _code(concept: Any, at: str) -> int:
    named = list(parts.codes_of([concept]))
    found = [
        code.pk
        for code in CodeableConcept.objects.filter(coding_code__in=[code for _, code in named])
        if (code.coding_system, code.coding_code) in named
    ]
    if not found:
        raise Unprocessable(Issue("code-invalid", f"{at} is no kind of data that studies here ask for.", at))
    return found[0]
