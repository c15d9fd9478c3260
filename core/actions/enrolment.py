"""Who takes part in a study."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from core.actions.acting import acting, record_write
from core.models import Patient, Study, StudyPatient
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


def enrol(
    *, actor: Principal | None, patient: Patient, study: Study, door: str, enrolled_at: datetime | None = None
) -> bool:
    """Enrol a patient of the study's organization; false if they were enrolled already. See `enrol_all`."""
    return enrol_all(actor=actor, patients=[patient], study=study, door=door, enrolled_at=enrolled_at) > 0


def enrol_all(
    *,
    actor: Principal | None,
    patients: Sequence[Patient],
    study: Study,
    door: str,
    enrolled_at: datetime | None = None,
) -> int:
    """Enrol patients of the study's organization, all or nobody; returns how many were not enrolled before.

    The caller has fetched everybody, and the study, with ENROLMENT_MANAGE. Raises InvalidInput as check_can_enrol does.
    """
    with acting(actor, door=door):
        for patient in patients:
            check_can_enrol(patient=patient, study=study)
        known = set(study.enrolments.filter(patient__in=patients).values_list("patient_id", flat=True))
        newcomers = [
            StudyPatient(study=study, patient=patient, enrolled_at=enrolled_at or timezone.now())
            for patient in patients
            if patient.pk not in known
        ]
        StudyPatient.objects.bulk_create(newcomers, ignore_conflicts=True)
        record_write(
            actor, door=door, action="enrol", study_id=study.pk, patient_ids=sorted(patient.pk for patient in patients)
        )
        return len(newcomers)


def check_can_enrol(*, patient: Patient, study: Study) -> None:
    """Raises InvalidInput for a patient of other organizations only: their record would not be the study's to see."""
    if not patient.patient_organizations.filter(organization_id=study.organization_id).exists():
        raise InvalidInput(
            f"Patient {patient.pk} does not belong to organization {study.organization_id}, which runs the study: "
            "add the patient to it first."
        )


def withdraw_from_study(*, actor: Principal | None, patient: Patient, study: Study, door: str) -> bool:
    """End an enrolment; false if there was none. See `withdraw_all`."""
    return withdraw_all(actor=actor, patients=[patient], study=study, door=door) > 0


def withdraw_all(*, actor: Principal | None, patients: Sequence[Patient], study: Study, door: str) -> int:
    """End enrolments, and with each every consent to the study; returns how many there were.

    The consents' history and the patients' observations stay; nobody reaches the data through this study any more.
    """
    with acting(actor, door=door):
        ended = StudyPatient.objects.filter(study=study, patient__in=patients)
        _, kinds = ended.delete()
        record_write(
            actor,
            door=door,
            action="withdraw_from_study",
            study_id=study.pk,
            patient_ids=sorted(patient.pk for patient in patients),
        )
        return kinds.get(StudyPatient._meta.label, 0)
