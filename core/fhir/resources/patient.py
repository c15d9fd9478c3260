from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import OUR_DEFINITIONS, human_name, reference, resource, telecom
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.models import Patient, PatientOrganization
from core.policy.principal import Principal

FURTHER_ORGANIZATION = f"{OUR_DEFINITIONS}/patient-further-organization"
"""An extension: managingOrganization has room for one organization, and a patient may belong to several."""


class PatientType(ResourceType):
    """FHIR R5 Patient. Of the patient's organizations those are shown that the caller reads; to the patient, all."""

    name = "Patient"
    same_for_everybody = False

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Patient.objects.visible_to(principal)

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("identifiers", "patient_organizations")

    def patient_ids(self, row: Patient) -> Iterable[int]:
        return [row.pk]

    def render(self, rows: Sequence[Patient], principal: Principal) -> list[Any]:
        links = PatientOrganization.objects.visible_to(principal).filter(patient__in=[row.pk for row in rows])
        shown = set(links.values_list("patient_id", "organization_id"))
        return [self._render(row, shown) for row in rows]

    def _render(self, row: Patient, shown: set[tuple[int, int]]) -> Resource:
        organizations = [
            reference("Organization", link.organization_id)
            for link in row.patient_organizations.all()
            if (row.pk, link.organization_id) in shown
        ]
        return resource(
            row,
            "Patient",
            self.id_of(row),
            extension=[{"url": FURTHER_ORGANIZATION, "valueReference": further} for further in organizations[1:]],
            identifier=[{"system": i.system, "value": i.value} for i in row.identifiers.all()],
            active=True,
            name=human_name(row.name_family, row.name_given),
            telecom=telecom(phone=row.telecom_phone, email=row.telecom_email),
            gender=row.gender,
            birthDate=row.birth_date and row.birth_date.isoformat(),
            managingOrganization=organizations[0] if organizations else None,
        )
