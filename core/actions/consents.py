"""A patient's answers to what a study asks for."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.utils import timezone

from core.actions.acting import acting, record_write
from core.models import Patient, Study, StudyPatient, StudyPatientScopeConsent, StudyScopeRequest
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


def record_consents(
    *,
    actor: Principal | None,
    patient: Patient,
    study: Study,
    answers: Mapping[int, bool],
    door: str,
    consented_time: datetime | None = None,
) -> int:
    """Record yes or no to some of a study's scopes; returns how many answers changed.

    `answers` maps the id of a CodeableConcept to the answer. The same answer again changes nothing, its time neither.
    The caller has fetched `patient` with CONSENT_WRITE. Raises InvalidInput, and then nothing is recorded.
    """
    with acting(actor, door=door):
        # The lock lets one answer at a time, and none while the enrolment is being ended.
        if not StudyPatient.objects.select_for_update().filter(study=study, patient=patient).exists():
            raise InvalidInput(f"Patient {patient.pk} is not enrolled in study {study.pk}: enrol the patient first.")
        requested = set(study.scope_requests.values_list("code_id", flat=True))
        if unrequested := sorted(answers.keys() - requested):
            raise InvalidInput(f"Study {study.pk} does not request scope {unrequested[0]}: ask only for what it does.")
        given = StudyPatientScopeConsent.objects.filter(study=study, patient=patient)
        current = dict(given.values_list("code_id", "consented"))
        changed = [
            StudyPatientScopeConsent(
                study=study,
                patient=patient,
                code_id=code_id,
                consented=consented,
                consented_time=consented_time or timezone.now(),
            )
            for code_id, consented in sorted(answers.items())
            if current.get(code_id) is not consented
        ]
        StudyPatientScopeConsent.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["study", "patient", "code"],
            update_fields=["consented", "consented_time"],
        )
        record_write(actor, door=door, action="record_consents", study_id=study.pk, patient_ids=[patient.pk])
        return len(changed)


def record_end_of_scopes(*, actor: Principal | None, scope_request_ids: Iterable[int], door: str) -> None:
    """The audit rows of taking scopes from studies, in the transaction that then does: whose consents end with each."""
    # Nobody consents to a locked request before it is gone.
    for request in StudyScopeRequest.objects.select_for_update().filter(pk__in=scope_request_ids).order_by("pk"):
        consents = StudyPatientScopeConsent.objects.filter(study_id=request.study_id, code_id=request.code_id)
        if patient_ids := sorted(consents.values_list("patient_id", flat=True)):
            record_write(actor, door=door, action="end_scope", study_id=request.study_id, patient_ids=patient_ids)
