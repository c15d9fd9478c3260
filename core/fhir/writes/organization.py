from typing import Any

from core.actions.organizations import create_organization, delete_organization, update_organization
from core.fhir.errors import Resource
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import Organization
from core.models.fetch import fetch
from core.policy.permissions import Permission
from core.policy.principal import Principal

_NEEDED = "an organization comes below another one, whose manager makes it"


class OrganizationWriter(Writer):
    """FHIR R5 Organization. A type that is none of ours is `other`, and what was sent stands beside it."""

    name = "Organization"

    def create(self, principal: Principal, resource: Resource) -> str:
        parent = self._managed(principal, _part_of(resource))
        columns = _columns(resource)
        organization = create_organization(actor=principal, door=DOOR, part_of=parent, **columns)
        return str(organization.pk)

    def update(self, principal: Principal, row: Organization, resource: Resource) -> None:
        changes = _columns(resource)
        if (part_of := _part_of(resource) if row.part_of_id is not None else None) != row.part_of_id:
            changes["part_of"] = self._managed(principal, int(part_of or 0))
        if row.part_of_id is None:
            del changes["type"]
        update_organization(actor=principal, door=DOOR, organization=self._managed(principal, row.pk), changes=changes)

    def delete(self, principal: Principal, row: Organization) -> None:
        delete_organization(actor=principal, door=DOOR, organization=self._managed(principal, row.pk))

    def _managed(self, principal: Principal, id_: int) -> Organization:
        return fetch(Organization.objects.all(), id_, principal, Permission.ORGANIZATION_MANAGE)


def _part_of(resource: Resource) -> int:
    named = parts.required(resource, "partOf", _NEEDED)
    return parts.referenced(named, "Organization", "Organization.partOf")


def _columns(resource: Resource) -> dict[str, Any]:
    known = [code for _, code in parts.codes_of(resource.get("type", [])) if code in Organization.Type.values]
    return parts.fitting(
        Organization,
        "Organization",
        {
            "name": parts.required(resource, "name", "people find an organization by its name"),
            "type": known[0] if known else str(Organization.Type.OTHER),
        },
    )
