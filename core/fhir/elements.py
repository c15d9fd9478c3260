"""Parts that resources of every type are made of (FHIR R5 datatypes.html)."""

from datetime import datetime
from typing import Any

from core.fhir.door import BASE
from core.fhir.errors import Resource
from core.models import CodeableConcept

OUR_DEFINITIONS = f"{BASE}/StructureDefinition"
"""Where extensions of this exchange are named; a name, not an address that answers."""
OUR_CODES = f"{BASE}/CodeSystem"


def resource(row: Any, type_name: str, id_: str, /, **elements: Any) -> Resource:
    """A resource of a versioned row: what is None or empty is left out, and what no column holds stands beside it."""
    extra = getattr(row, "fhir_extra", None) or {}
    mapped = {name: value for name, value in elements.items() if value not in (None, "", [], {})}
    if "extension" in mapped:
        mapped["extension"] = [*mapped["extension"], *extra.get("extension", [])]
    return {
        "resourceType": type_name,
        "id": id_,
        "meta": {**extra.get("meta", {}), "versionId": str(row.version_id), "lastUpdated": instant(row.last_updated)},
        **mapped,
        **{name: value for name, value in extra.items() if name not in mapped and name != "meta"},
    }


def instant(moment: datetime) -> str:
    """A moment as FHIR writes an instant: with the offset, microseconds kept when there are any."""
    return moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds")


def reference(type_name: str, id_: object, display: str = "") -> Resource:
    """A relative literal reference (FHIR R5 references.html)."""
    return {"reference": f"{type_name}/{id_}", **({"display": display} if display else {})}


def coded(system: str, code: str, display: str = "") -> Resource:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def kind_of_data(code: CodeableConcept) -> Resource:
    """One of the scopes that studies request."""
    return coded(code.coding_system, code.coding_code, code.text)


def human_name(family: str, given: str) -> list[Resource]:
    """HumanName, or nothing of somebody without a name."""
    name = {**({"family": family} if family else {}), **({"given": [given]} if given else {})}
    return [name] if name else []


def telecom(*, phone: str, email: str) -> list[Resource]:
    """ContactPoint."""
    return [{"system": system, "value": value} for system, value in (("phone", phone), ("email", email)) if value]
