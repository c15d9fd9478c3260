"""/patients/{id}/consents: what a patient was asked, said, and says now. Only of studies that the reader reaches."""

from collections.abc import Iterable, Iterator
from typing import Any

from core.actions.consents import record_answers, take_back_answers
from core.api.consent_shapes import AnswersBody, ConsentsAnswer, TakenBackBody
from core.api.patients import PatientView
from core.api.views import DOOR, operation
from core.models import (
    CodeableConcept,
    Patient,
    Study,
    StudyPatient,
    StudyPatientScopeConsent,
    StudyScopeRequest,
)
from core.policy.errors import InvalidInput, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal


class PatientConsents(PatientView):
    """POST and PATCH record answers, new or changed, all or none; DELETE makes questions unanswered again."""

    @operation("Consent.r", answer=ConsentsAnswer)
    def get(self, pk: int) -> Any:
        return consents_of(self._patient(pk), self.principal)

    @operation("Consent.c", body=AnswersBody, answer=ConsentsAnswer)
    def post(self, pk: int) -> Any:
        return self._record(pk)

    @operation("Consent.u", body=AnswersBody, answer=ConsentsAnswer)
    def patch(self, pk: int) -> Any:
        return self._record(pk)

    @operation("Consent.d", body=TakenBackBody, answer=ConsentsAnswer)
    def delete(self, pk: int) -> Any:
        patient = self._patient(pk)
        scopes = _by_study((study_id, code_id) for study_id, code_id, _ in self._named(patient))
        take_back_answers(
            actor=self.principal, door=DOOR, patient=patient, scopes=scopes, how=self.body.get("method", "")
        )
        return consents_of(patient, self.principal)

    def _patient(self, pk: int) -> Patient:
        self.require_scope("Patient", "r")  # the answer holds their record
        return self.fetch(pk, Permission.CONSENT_READ)

    def _record(self, pk: int) -> Any:
        patient = self._patient(pk)
        answers: dict[int, dict[int, bool]] = {}
        for study_id, code_id, scope in self._named(patient):
            answers.setdefault(study_id, {})[code_id] = scope["consented"]
        record_answers(
            actor=self.principal,
            door=DOOR,
            patient=patient,
            answers=answers,
            consented_time=self.body.get("consented_time"),
            how=self.body.get("method", ""),
        )
        return consents_of(patient, self.principal)

    def _named(self, patient: Patient) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Study, code and the rest of each scope in the body. Raises with the place of what may not be answered."""
        enrolments = StudyPatient.objects.filter(patient=patient)
        seen = _studies(enrolments.visible_to(self.principal, Permission.CONSENT_READ))
        writable = _studies(enrolments.visible_to(self.principal, Permission.CONSENT_WRITE))
        requests = StudyScopeRequest.objects.filter(study__in=writable).select_related("code")
        requested = {(r.study_id, r.code.coding_system, r.code.coding_code): r.code_id for r in requests}
        named: set[tuple[int, int]] = set()
        for number, study in enumerate(self.body["study_scope_consents"]):
            place, study_id = f"studyScopeConsents[{number}]", study["study_id"]
            if study_id not in seen:
                raise InvalidInput(f"{place}.studyId: {patient} takes part in no study {study_id} that you can see.")
            if study_id not in writable:
                raise PermissionDenied(f"{place}.studyId: Your role does not include {Permission.CONSENT_WRITE} there.")
            for inner, scope in enumerate(study["scope_consents"]):
                code_id = requested.get((study_id, scope["coding_system"], scope["coding_code"]))
                if code_id is None:
                    raise InvalidInput(f"{place}.scopeConsents[{inner}]: The study does not request this code.")
                if (study_id, code_id) in named:
                    raise InvalidInput(f"{place}.scopeConsents[{inner}]: Is named twice: send one answer.")
                named.add((study_id, code_id))
                yield study_id, code_id, scope


def consents_of(patient: Patient, principal: Principal) -> dict[str, Any]:
    """What ConsentsAnswer renders, of the studies that this person reaches, by id."""
    enrolments = (
        StudyPatient.objects.visible_to(principal, Permission.CONSENT_READ)
        .filter(patient=patient)
        .order_by("study_id")
        .select_related("study__organization")
        .prefetch_related("study__scope_requests__code", "study__data_sources__supported_scopes")
    )
    given = StudyPatientScopeConsent.objects.visible_to(principal).filter(patient=patient)
    answers = {(answer.study_id, answer.code_id): answer for answer in given}
    studies = [_with_answers(enrolment.study, answers) for enrolment in enrolments]
    return {
        "patient": patient,
        "consolidated_consented_scopes": _consented(studies),
        "studies_pending_consent": [study for study in studies if study["pending_scope_consents"]],
        "studies": [study for study in studies if study["scope_consents"]],
    }


def _with_answers(study: Study, answers: dict[tuple[int, int], StudyPatientScopeConsent]) -> dict[str, Any]:
    scopes = [(request.code, answers.get((study.pk, request.code_id))) for request in study.scope_requests.all()]
    return {
        **{name: getattr(study, name) for name in ("id", "name", "description", "icon_url", "organization")},
        "data_sources": study.data_sources.all(),
        "scope_consents": [
            {"code": code, "consented": answer.consented, "consented_time": answer.consented_time}
            for code, answer in scopes
            if answer is not None
        ],
        "pending_scope_consents": [
            {"code": code, "consented": None, "consented_time": None} for code, answer in scopes if answer is None
        ],
    }


def _consented(studies: list[dict[str, Any]]) -> list[CodeableConcept]:
    codes = {
        scope["code"].pk: scope["code"] for study in studies for scope in study["scope_consents"] if scope["consented"]
    }
    return [codes[pk] for pk in sorted(codes)]


def _studies(enrolments: Iterable[StudyPatient]) -> set[int]:
    return {enrolment.study_id for enrolment in enrolments}


def _by_study(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    scopes: dict[int, list[int]] = {}
    for study_id, code_id in pairs:
        scopes.setdefault(study_id, []).append(code_id)
    return scopes
