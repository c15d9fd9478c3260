from typing import Any

from django.db.models import QuerySet

from core.fhir.errors import Resource
from core.fhir.resource import ResourceType, meta_of, reference
from core.models import Organization
from core.policy.principal import Principal

TYPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/organization-type"


class OrganizationType(ResourceType):
    """FHIR R5 Organization: `partOf` is shown as the tree has it, whether or not the caller may read the parent."""

    name = "Organization"

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Organization.objects.visible_to(principal)

    def render_one(self, row: Organization, principal: Principal) -> Resource:
        return {
            "resourceType": "Organization",
            "id": self.id_of(row),
            "meta": meta_of(row),
            "active": True,
            "type": [{"coding": [{"system": TYPE_SYSTEM, "code": row.type, "display": row.get_type_display()}]}],
            "name": row.name,
            **({"partOf": reference("Organization", row.part_of_id)} if row.part_of_id is not None else {}),
        }
