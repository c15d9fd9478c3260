"""Who takes part in a study."""

from datetime import datetime

from django.utils import timezone

from core.actions.acting import acting, record_write
from core.models import Patient, Study, StudyPatient
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


def enrol(
    *, actor: Principal | None, patient: Patient, study: Study, door: str, enrolled_at: datetime | None = None
) -> bool:
    """Enrol a patient of the study's organization; false if they were enrolled already.

    The caller has fetched both with ENROLMENT_MANAGE. Raises InvalidInput as check_can_enrol does.
    """
    with acting(actor, door=door):
        check_can_enrol(patient=patient, study=study)
        _, created = StudyPatient.objects.get_or_create(
            study=study, patient=patient, defaults={"enrolled_at": enrolled_at or timezone.now()}
        )
        record_write(actor, door=door, action="enrol", study_id=study.pk, patient_ids=[patient.pk])
        return created


def check_can_enrol(*, patient: Patient, study: Study) -> None:
    """Raises InvalidInput for a patient of other organizations only: their record would not be the study's to see."""
    if not patient.patient_organizations.filter(organization_id=study.organization_id).exists():
        raise InvalidInput(
            f"Patient {patient.pk} does not belong to organization {study.organization_id}, which runs the study: "
            "add the patient to it first."
        )


def withdraw_from_study(*, actor: Principal | None, patient: Patient, study: Study, door: str) -> bool:
    """End an enrolment, and with it every consent to the study; false if there was none.

    The consents' history and the patient's observations stay; nobody reaches the data through this study any more.
    """
    with acting(actor, door=door):
        deleted, _ = StudyPatient.objects.filter(study=study, patient=patient).delete()
        record_write(actor, door=door, action="withdraw_from_study", study_id=study.pk, patient_ids=[patient.pk])
        return deleted > 0
