from typing import Any

from core.actions.patients import delete_patient, register_patient, update_patient
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import Organization, Patient, PatientIdentifier, PatientOrganization
from core.models.fetch import fetch
from core.policy.permissions import Permission
from core.policy.principal import Principal

_NEEDED = "a patient is registered by an organization, and its members see the record"


class PatientWriter(Writer):
    """FHIR R5 Patient. `managingOrganization` is who registers; it stays when the patient joins others."""

    name = "Patient"

    def create(self, principal: Principal, resource: Resource) -> str:
        named = parts.required(resource, "managingOrganization", _NEEDED)
        organization_id = parts.referenced(named, "Organization", "Patient.managingOrganization")
        patient = register_patient(
            actor=principal,
            door=DOOR,
            organizations=[fetch(Organization.objects.all(), organization_id, principal, Permission.PATIENT_MANAGE)],
            identifiers=_identifiers(resource),
            **_columns(resource),
        )
        return str(patient.pk)

    def update(self, principal: Principal, row: Patient, resource: Resource) -> None:
        _check_stays(principal, row, resource)
        update_patient(
            actor=principal,
            door=DOOR,
            patient=fetch(Patient.objects.all(), row.pk, principal, Permission.PATIENT_MANAGE),
            changes=_columns(resource),
            identifiers=_identifiers(resource),
        )

    def delete(self, principal: Principal, row: Patient) -> None:
        patient = fetch(Patient.objects.all(), row.pk, principal, Permission.PATIENT_MANAGE)
        delete_patient(actor=principal, door=DOOR, patient=patient)


def _identifiers(resource: Resource) -> list[tuple[str, str]]:
    pairs = parts.identifiers_of(resource.get("identifier", []))
    for system, value in pairs:
        parts.fitting(PatientIdentifier, "Patient.identifier", {"system": system, "value": value})
    return pairs


def _check_stays(principal: Principal, row: Patient, resource: Resource) -> None:
    """Raises Unprocessable for another organization than the one that a read names."""
    if "managingOrganization" not in resource:
        return
    place = "Patient.managingOrganization"
    named = parts.referenced(resource["managingOrganization"], "Organization", place)
    first = PatientOrganization.objects.visible_to(principal).filter(patient=row).first()
    if first is None or first.organization_id != named:
        sentence = f"{place} stays: a patient joins another organization with POST /api/v1/patients."
        raise Unprocessable(Issue("business-rule", sentence, place))


def _columns(resource: Resource) -> dict[str, Any]:
    telecom = resource.get("telecom", [])
    return parts.fitting(
        Patient,
        "Patient",
        {
            **parts.names_of(resource.get("name", [])),
            "birth_date": parts.whole_date(resource.get("birthDate")),
            "gender": resource.get("gender", Patient.Gender.UNKNOWN),
            "telecom_phone": parts.telecom_of(telecom, "phone"),
            "telecom_email": parts.telecom_of(telecom, "email"),
        },
    )
