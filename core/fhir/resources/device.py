from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import OUR_CODES, coded, kind_of_data, resource
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.search.parameters import String, Within
from core.fhir.search.tokens import Fixed, Token
from core.models import DataSource, DataSourceSupportedScope
from core.policy.principal import Principal

TYPE_SYSTEM = f"{OUR_CODES}/data-source-type"


def _scopes(_principal: Principal) -> QuerySet[Any]:
    """Those of data sources that the caller reads are the caller's to read."""
    return DataSourceSupportedScope.objects.all()


class DeviceType(ResourceType):
    """FHIR R5 Device: a data source. `conformsTo` says which schemas its data points follow."""

    name = "Device"
    history_of = DataSource
    search_parameters = {
        "device-name": String(definition="Device-device-name", columns=("name",)),
        "specification": Token(
            definition="Device-specification",
            code="code__coding_code",
            system_column="code__coding_system",
            text="code__text",
            within=Within(rows=_scopes, owner="data_source_id"),
        ),
        "status": Fixed(definition="Device-status", code="active", system="http://hl7.org/fhir/device-status"),
        "type": Token(definition="Device-type", code="type", system=TYPE_SYSTEM),
    }

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
