"""People whose data it is."""

from collections.abc import Iterable
from datetime import date

from core.actions.acting import acting, record_write
from core.models import Organization, Patient, PatientIdentifier, PatientOrganization, User
from core.policy.principal import Principal


def register_patient(
    *,
    actor: Principal | None,
    door: str,
    organizations: Iterable[Organization],
    name_given: str,
    name_family: str,
    identifiers: Iterable[tuple[str, str]] = (),
    birth_date: date | None = None,
    gender: str = Patient.Gender.UNKNOWN,
    telecom_email: str = "",
    user: User | None = None,
) -> Patient:
    """A new patient of some organizations, with (system, value) identifiers and maybe a login.

    The caller has fetched the organizations with PATIENT_MANAGE. Raises IntegrityError for an identifier that another
    patient has.
    """
    with acting(actor, door=door):
        patient = Patient.objects.create(
            user=user,
            name_given=name_given,
            name_family=name_family,
            birth_date=birth_date,
            gender=gender,
            telecom_email=telecom_email,
        )
        PatientOrganization.objects.bulk_create(
            PatientOrganization(patient=patient, organization=organization) for organization in organizations
        )
        PatientIdentifier.objects.bulk_create(
            PatientIdentifier(patient=patient, system=system, value=value) for system, value in identifiers
        )
        record_write(actor, door=door, action="register_patient", patient_ids=[patient.pk])
        return patient
