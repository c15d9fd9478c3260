from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import OUR_DEFINITIONS, human_name, reference, resource, telecom
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.search.dates import Day
from core.fhir.search.parameters import String, Within
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Fixed, Telecom, Token
from core.models import Patient, PatientIdentifier, PatientOrganization
from core.policy.principal import Principal

FURTHER_ORGANIZATION = f"{OUR_DEFINITIONS}/patient-further-organization"
"""An extension: managingOrganization has room for one organization, and a patient may belong to several."""

GENDER_SYSTEM = "http://hl7.org/fhir/administrative-gender"


def _identifiers(_principal: Principal) -> QuerySet[Any]:
    """Those of patients that the caller reads are the caller's to read."""
    return PatientIdentifier.objects.all()


class PatientType(ResourceType):
    """FHIR R5 Patient. Of the patient's organizations those are shown that the caller reads; to the patient, all."""

    name = "Patient"
    history_of = Patient
    same_for_everybody = False
    search_parameters = {
        "active": Fixed(definition="Patient-active", code="true"),
        "birthdate": Day(definition="individual-birthdate", start="birth_date"),
        "email": Token(definition="individual-email", code="telecom_email", system="email", ignore_case=True),
        "family": String(definition="individual-family", columns=("name_family",)),
        "gender": Token(definition="individual-gender", code="gender", system=GENDER_SYSTEM),
        "given": String(definition="individual-given", columns=("name_given",)),
        "identifier": Token(
            definition="Patient-identifier",
            code="value",
            system_column="system",
            within=Within(rows=_identifiers, owner="patient_id"),
        ),
        "name": String(definition="Patient-name", columns=("name_family", "name_given")),
        "organization": Reference(
            definition="Patient-organization",
            documentation="Any of the patient's organizations that you may read.",
            targets={"Organization": Target(column="organization_id")},
            within=Within(rows=PatientOrganization.objects.visible_to, owner="patient_id"),
        ),
        "phone": Token(definition="individual-phone", code="telecom_phone", system="phone"),
        "telecom": Telecom(
            definition="individual-telecom", columns={"phone": "telecom_phone", "email": "telecom_email"}
        ),
    }

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
