"""People whose data it is."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

from django.db import IntegrityError, connection

from core.actions.acting import acting, record_write
from core.models import ConsentHistory, Organization, Patient, PatientIdentifier, PatientOrganization, User
from core.policy.errors import Conflict, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal

Identifiers = Iterable[tuple[str, str]]
"""(system, value) pairs."""


def register_patient(
    *,
    actor: Principal | None,
    door: str,
    organizations: Iterable[Organization],
    name_given: str,
    name_family: str,
    identifiers: Identifiers = (),
    birth_date: date | None = None,
    gender: str = Patient.Gender.UNKNOWN,
    telecom_phone: str = "",
    telecom_email: str = "",
    user: User | None = None,
) -> Patient:
    """A new patient of some organizations, with (system, value) identifiers and maybe a login.

    The caller has fetched the organizations with PATIENT_MANAGE. Raises Conflict for an identifier that another
    patient has.
    """
    with _one_patient_per_identifier(), acting(actor, door=door):
        patient = Patient.objects.create(
            user=user,
            name_given=name_given,
            name_family=name_family,
            birth_date=birth_date,
            gender=gender,
            telecom_phone=telecom_phone,
            telecom_email=telecom_email,
        )
        PatientOrganization.objects.bulk_create(
            PatientOrganization(patient=patient, organization=organization) for organization in organizations
        )
        _replace_identifiers(patient, identifiers)
        record_write(actor, door=door, action="register_patient", patient_ids=[patient.pk])
        return patient


def find_or_register_patient(
    *,
    actor: Principal,
    door: str,
    organizations: Iterable[Organization],
    name_given: str,
    name_family: str,
    telecom_email: str,
    birth_date: date | None = None,
    gender: str = Patient.Gender.UNKNOWN,
    telecom_phone: str = "",
    identifiers: Identifiers = (),
) -> tuple[Patient, bool]:
    """The patient with this e-mail, who then belongs to the organizations too, or a new one; and whether they are new.

    Found is only whom the caller may manage already. Who may be unknown to them stays unknown: a patient of other
    organizations is neither found nor changed, and a new record is made as if there were none. No account is looked
    for at all: an e-mail that somebody else typed proves nothing, so a login comes by invitation. What is found keeps
    its own data. Raises Conflict when the e-mail is that of a patient with another name or birth date.
    """
    with acting(actor, door=door), connection.cursor() as cursor:
        # Two requests with one e-mail, at once, make one record.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('core_patient.telecom_email'), hashtext(upper(%s)))", [telecom_email]
        )
        managed = Patient.objects.visible_to(actor, Permission.PATIENT_MANAGE)
        if found := managed.filter(telecom_email__iexact=telecom_email).order_by("pk").first():
            _check_is_same_person(found, name_family, birth_date)
            _add_to_organizations(found, organizations)
            record_write(actor, door=door, action="find_patient", patient_ids=[found.pk])
            return found, False
        new = register_patient(
            actor=actor,
            door=door,
            organizations=organizations,
            name_given=name_given,
            name_family=name_family,
            identifiers=identifiers,
            birth_date=birth_date,
            gender=gender,
            telecom_phone=telecom_phone,
            telecom_email=telecom_email,
        )
        return new, True


def update_patient(
    *,
    actor: Principal,
    door: str,
    patient: Patient,
    changes: Mapping[str, object],
    identifiers: Identifiers | None = None,
) -> Patient:
    """Change some columns of a patient, and with `identifiers` which ones they have, all of them.

    The caller has fetched `patient` with PATIENT_MANAGE. Raises Conflict for an identifier that another patient has.
    """
    with _one_patient_per_identifier(), acting(actor, door=door):
        for name, value in changes.items():
            setattr(patient, name, value)
        patient.save(update_fields=[*changes, "last_updated"])  # and nobody else changes this patient meanwhile
        if identifiers is not None:
            _replace_identifiers(patient, identifiers)
        record_write(actor, door=door, action="update_patient", patient_ids=[patient.pk])
        return patient


def delete_patient(*, actor: Principal, door: str, patient: Patient) -> None:
    """Delete a record that was a mistake: nothing was ever recorded of the patient, and nobody else has them.

    The caller has fetched `patient` with PATIENT_MANAGE. Raises Conflict where something would be lost, and
    PermissionDenied where the patient belongs to an organization whose patients the caller does not manage.
    """
    with acting(actor, door=door):
        locked = Patient.objects.select_for_update().get(pk=patient.pk)  # nothing is recorded meanwhile
        if reason := why_kept(locked):
            raise Conflict(reason)
        ours = Organization.objects.visible_to(actor, Permission.PATIENT_MANAGE)
        if locked.organizations.exclude(pk__in=ours.values("pk")).exists():
            raise PermissionDenied(
                f"{locked} is not for you alone to delete: remove the patient from your organization instead."
            )
        locked.delete()
        record_write(actor, door=door, action="delete_patient", patient_ids=[patient.pk])


def why_kept(patient: Patient) -> str:
    """What would be lost with this patient, in a sentence; empty when they can be deleted."""
    if patient.observations.exists() or ConsentHistory.objects.filter(patient_id=patient.pk).exists():
        return f"{patient} has observations or a consent history: end the enrolments or the login instead."
    return ""


def add_to_organization(*, actor: Principal, door: str, patient: Patient, organization: Organization) -> None:
    """A patient comes to belong to one more organization, whose people then see their record.

    The caller has fetched both with PATIENT_MANAGE.
    """
    with acting(actor, door=door):
        _add_to_organizations(patient, [organization])
        record_write(actor, door=door, action="add_patient_to_organization", patient_ids=[patient.pk])


def remove_from_organization(*, actor: Principal, door: str, patient: Patient, organization: Organization) -> None:
    """A patient leaves an organization, and with it every study that it runs; their data and consent history stay.

    The caller has fetched both with PATIENT_MANAGE. Raises Conflict for the patient's last organization: nobody would
    reach the record any more.
    """
    with acting(actor, door=door):
        Patient.objects.select_for_update().get(pk=patient.pk)  # of two removals at once, one sees the other
        if not patient.patient_organizations.exclude(organization=organization).exists():
            raise Conflict(f"{patient} belongs to no other organization: add the patient to another one first.")
        patient.patient_organizations.filter(organization=organization).delete()
        record_write(actor, door=door, action="remove_patient_from_organization", patient_ids=[patient.pk])


def _check_is_same_person(patient: Patient, name_family: str, birth_date: date | None) -> None:
    other_birthday = birth_date and patient.birth_date and birth_date != patient.birth_date
    if other_birthday or patient.name_family.casefold() != name_family.casefold():
        raise Conflict(
            f"{patient} has this e-mail under another name or birth date: correct what you sent, or leave the e-mail "
            "out if this is somebody else."
        )


def _add_to_organizations(patient: Patient, organizations: Iterable[Organization]) -> None:
    PatientOrganization.objects.bulk_create(
        (PatientOrganization(patient=patient, organization=organization) for organization in organizations),
        ignore_conflicts=True,
    )


def _replace_identifiers(patient: Patient, identifiers: Identifiers) -> None:
    wanted = set(identifiers)
    for identifier in PatientIdentifier.objects.filter(patient=patient):
        if (identifier.system, identifier.value) in wanted:
            wanted.remove((identifier.system, identifier.value))
        else:
            identifier.delete()
    PatientIdentifier.objects.bulk_create(
        PatientIdentifier(patient=patient, system=system, value=value) for system, value in sorted(wanted)
    )


@contextmanager
def _one_patient_per_identifier() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "patient_identifier_unique" not in str(error):
            raise
        # What the database says holds the identifier itself, so it goes no further.
        raise Conflict(
            "One of these identifiers is another patient's: find them by it, or correct what you sent."
        ) from None
