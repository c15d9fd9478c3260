from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import OUR_CODES, coded, kind_of_data, resource
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.models import DataSource
from core.policy.principal import Principal

TYPE_SYSTEM = f"{OUR_CODES}/data-source-type"


class DeviceType(ResourceType):
    """FHIR R5 Device: a data source. `conformsTo` says which schemas its data points follow."""

    name = "Device"

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return DataSource.objects.visible_to(principal)

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("scope_links__code")

    def render_one(self, row: DataSource) -> Resource:
        return resource(
            row,
            "Device",
            self.id_of(row),
            status="active",
            displayName=row.name,
            name=[{"value": row.name, "type": "user-friendly-name", "display": True}],
            type=[coded(TYPE_SYSTEM, row.type, row.get_type_display())],
            conformsTo=[{"specification": kind_of_data(link.code)} for link in row.scope_links.all()],
        )
