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
    """A resource of a versioned row: what is None or empty is left out.

    What was sent beyond our columns stands beside what they say (core/fhir/writes/kept.py), and in place of it where
    they still say the same.
    """
    mapped = {
        "resourceType": type_name,
        "id": id_,
        "meta": {"versionId": str(row.version_id), "lastUpdated": instant(row.last_updated)},
        **{name: value for name, value in elements.items() if value not in (None, "", [], {})},
    }
    return with_extra(mapped, getattr(row, "fhir_extra", None) or {})


def with_extra(mapped: Resource, fhir_extra: Resource) -> Resource:
    """A resource of our columns with what was sent beyond them."""
    extra = fhir_extra.get(mapped["resourceType"], {})
    kept, sent = extra.get("kept", {}), extra.get("sent", {})
    return {
        **{name: _as_sent(value, sent.get(name)) for name, value in mapped.items()},
        "meta": {**kept.get("meta", {}), **mapped["meta"]},
        **{name: value for name, value in kept.items() if name not in mapped},
    }


def _as_sent(value: Any, sent: Resource | None) -> Any:
    return sent["sent"] if sent is not None and sent["was"] == value else value


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
