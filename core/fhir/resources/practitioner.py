from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import OUR_CODES, coded, human_name, reference, resource, telecom
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.search.parameters import String
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Fixed, Telecom, Token
from core.models import Practitioner, PractitionerOrganization
from core.policy.principal import Principal

ROLE_SYSTEM = f"{OUR_CODES}/organization-role"


class PractitionerType(ResourceType):
    """FHIR R5 Practitioner: the colleagues in the caller's organizations. The e-mail is the one they log in with."""

    name = "Practitioner"
    same_for_everybody = False  # the e-mail is the user's, who has no versions
    history_of = Practitioner
    search_parameters = {
        "active": Fixed(definition="Practitioner-active", code="true"),
        "email": Token(definition="individual-email", code="user__email", system="email", ignore_case=True),
        "family": String(definition="individual-family", columns=("name_family",)),
        "given": String(definition="individual-given", columns=("name_given",)),
        "identifier": Token(definition="Practitioner-identifier", code="identifier"),
        "name": String(definition="Practitioner-name", columns=("name_family", "name_given")),
        "phone": Token(definition="individual-phone", code="telecom_phone", system="phone"),
        "telecom": Telecom(definition="individual-telecom", columns={"phone": "telecom_phone", "email": "user__email"}),
    }

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Practitioner.objects.visible_to(principal)

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("user")

    def render_one(self, row: Practitioner) -> Resource:
        return resource(
            row,
            "Practitioner",
            self.id_of(row),
            identifier=[{"value": row.identifier}] if row.identifier else None,
            active=True,
            name=human_name(row.name_family, row.name_given),
            telecom=telecom(phone=row.telecom_phone, email=row.user.email),
            birthDate=row.birth_date and row.birth_date.isoformat(),
        )


class PractitionerRoleType(ResourceType):
    """FHIR R5 PractitionerRole: what a practitioner may do for an organization (core/policy/roles.py)."""

    name = "PractitionerRole"
    history_of = PractitionerOrganization
    search_parameters = {
        "active": Fixed(definition="PractitionerRole-active", code="true"),
        "organization": Reference(
            definition="PractitionerRole-organization", targets={"Organization": Target(column="organization_id")}
        ),
        "practitioner": Reference(
            definition="PractitionerRole-practitioner", targets={"Practitioner": Target(column="practitioner_id")}
        ),
        "role": Token(definition="PractitionerRole-role", code="role", system=ROLE_SYSTEM),
    }

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return PractitionerOrganization.objects.visible_to(principal)

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("practitioner", "organization")

    def render_one(self, row: PractitionerOrganization) -> Resource:
        return resource(
            row,
            "PractitionerRole",
            self.id_of(row),
            active=True,
            practitioner=reference("Practitioner", row.practitioner_id, str(row.practitioner)),
            organization=reference("Organization", row.organization_id, row.organization.name),
            code=[coded(ROLE_SYSTEM, row.role)],
        )
