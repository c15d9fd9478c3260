from collections.abc import Iterator
from typing import Any

from core.actions.data_sources import create_data_source, delete_data_source, update_data_source
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.resources.device import TYPE_SYSTEM
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import CodeableConcept, DataSource
from core.models.fetch import check_keeps_catalogue, fetch
from core.policy.permissions import Permission
from core.policy.principal import Principal


class DeviceWriter(Writer):
    """FHIR R5 Device: the catalogue of what sends data, which superusers keep."""

    name = "Device"

    def create(self, principal: Principal, resource: Resource) -> str:
        check_keeps_catalogue(principal)
        device = create_data_source(
            actor=principal, door=DOOR, supported_scopes=_supported(resource), **_columns(resource)
        )
        return str(device.pk)

    def update(self, principal: Principal, row: DataSource, resource: Resource) -> None:
        update_data_source(
            actor=principal,
            door=DOOR,
            data_source=self._kept(principal, row.pk),
            changes=_columns(resource),
            supported_scopes=_supported(resource),
        )

    def delete(self, principal: Principal, row: DataSource) -> None:
        delete_data_source(actor=principal, door=DOOR, data_source=self._kept(principal, row.pk))

    def _kept(self, principal: Principal, id_: int) -> DataSource:
        return fetch(DataSource.objects.all(), id_, principal, Permission.CATALOGUE_MANAGE)


def _columns(resource: Resource) -> dict[str, Any]:
    name = next(_names(resource), None)
    if name is None:
        sentence = "Device.displayName is missing, and nothing else names the device: people find it by its name."
        raise Unprocessable(Issue("required", sentence, "Device.displayName"))
    ours = {code for system, code in parts.codes_of(resource.get("type", [])) if system == TYPE_SYSTEM}
    known = [choice for choice in DataSource.Type.values if choice in ours]
    columns = {"name": name, "type": known[0] if known else str(DataSource.Type.PERSONAL_DEVICE)}
    return parts.fitting(DataSource, "Device", columns)


def _names(resource: Resource) -> Iterator[str]:
    """What people could call a device, the best first."""
    if "displayName" in resource:
        yield resource["displayName"]
    yield from (name["value"] for name in resource.get("name", []) if "value" in name)
    if model := " ".join(resource[part] for part in ("manufacturer", "modelNumber") if part in resource):
        yield model
    for concept in resource.get("type", []):
        yield from (text for text in (concept.get("text"), *_displays(concept)) if text)
    yield from (identifier["value"] for identifier in resource.get("identifier", []) if "value" in identifier)


def _displays(concept: Resource) -> Iterator[str]:
    return (coding["display"] for coding in concept.get("coding", []) if "display" in coding)


def _supported(resource: Resource) -> list[CodeableConcept]:
    named = set(parts.codes_of(item.get("specification", {}) for item in resource.get("conformsTo", [])))
    codes = CodeableConcept.objects.filter(coding_code__in=[code for _, code in named])
    return [code for code in codes if (code.coding_system, code.coding_code) in named]
