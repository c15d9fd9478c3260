from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import coded, reference, resource
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.search.parameters import String
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Fixed, Token
from core.models import Organization
from core.policy.principal import Principal

TYPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/organization-type"


class OrganizationType(ResourceType):
    """FHIR R5 Organization: `partOf` is shown as the tree has it, whether or not the caller may read the parent."""

    name = "Organization"
    history_of = Organization
    search_parameters = {
        "active": Fixed(definition="Organization-active", code="true"),
        "name": String(definition="Organization-name", columns=("name",)),
        "partof": Reference(
            definition="Organization-partof", targets={"Organization": Target(column="part_of_id", key="pk")}
        ),
        "type": Token(definition="Organization-type", code="type", system=TYPE_SYSTEM),
    }

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Organization.objects.visible_to(principal)

    def render_one(self, row: Organization) -> Resource:
        return resource(
            row,
            "Organization",
            self.id_of(row),
            active=True,
            type=[coded(TYPE_SYSTEM, row.type, row.get_type_display())],
            name=row.name,
            partOf=None if row.part_of_id is None else reference("Organization", row.part_of_id),
        )
