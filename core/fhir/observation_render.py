"""Observations as FHIR R5 says them, some microseconds each: what comes as JSON from the database goes out as it is.

The data point is the value, whole, as an attachment. What is a number is also a component, because an Observation has
one value (R5 `value[x]`), and readers who know no Open mHealth look for quantities.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import orjson

from core.fhir.door import BASE
from core.fhir.elements import coded, instant, with_extra
from core.fhir.errors import Resource
from core.models.observation_pages import Row
from core.open_mhealth.kinds import CATEGORY, KINDS, LOINC, PRESSURES, UCUM, UNITS, Kind, name_of

_NO_KIND = Kind()
_SPECIMEN = '"specimen_source": '
"""In a data point as PostgreSQL writes it: glucose of something else than blood has other LOINC codes."""


def render(rows: Sequence[Row]) -> list[Resource]:
    """Resources, some of whose parts are `orjson.Fragment`; `orjson.dumps` makes JSON of them."""
    return [_resource(row) for row in rows]


def _resource(row: Row) -> Resource:
    meta = _meta(row.version_id, row.last_updated, row.ingest_id)
    resource: Resource = {"resourceType": "Observation", "id": str(row.id), "meta": meta}
    if row.identifiers:
        resource["identifier"] = orjson.Fragment(row.identifiers)
    resource["status"] = row.status
    if category := _category(row.coding_code):
        resource["category"] = category
    resource["code"] = _code(row.coding_system, row.coding_code, row.code_text)
    resource["subject"] = _subject(row.patient_id, row.patient_identifier)
    start = _moment(row.effective_start, row.utc_offset_minutes)
    if row.effective_end is None:
        resource["effectiveDateTime"] = start
    else:
        resource["effectivePeriod"] = {"start": start, "end": _moment(row.effective_end, row.utc_offset_minutes)}
    if row.data_source_id is not None:
        resource["device"] = {"reference": f"Device/{row.data_source_id}"}
    data = b2a_base64(row.data_point.encode(), newline=False)
    resource["valueAttachment"] = orjson.Fragment(b'{"contentType":"application/json","data":"%b"}' % data)
    if component := _component(row):
        resource["component"] = component
    return _with_extra(resource, row.fhir_extra) if row.fhir_extra else resource


def _with_extra(resource: Resource, extra: str) -> Resource:
    plain = orjson.loads(orjson.dumps(resource))  # so that it can be compared with what was sent
    return with_extra(plain, orjson.loads(extra))


@lru_cache(1_000)
def _meta(version_id: int, last_updated: datetime, ingest_id: int | None) -> Resource:
    """What came in together has it in common."""
    meta = {"versionId": str(version_id), "lastUpdated": instant(last_updated)}
    return meta if ingest_id is None else {**meta, "source": f"{BASE}/Provenance/{ingest_id}"}


@lru_cache(1_000)
def _subject(patient_id: int, identifier: str | None) -> Resource:
    subject: Resource = {"reference": f"Patient/{patient_id}"}
    return {**subject, "identifier": orjson.Fragment(identifier)} if identifier else subject


def _moment(moment: datetime, utc_offset_minutes: int | None) -> str:
    """As it was recorded, with its offset; without one, UTC."""
    if utc_offset_minutes is None:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return moment.astimezone(_zone(utc_offset_minutes)).isoformat()


@lru_cache(256)
def _zone(utc_offset_minutes: int) -> timezone:
    return timezone(timedelta(minutes=utc_offset_minutes))


@lru_cache(1_000)
def _code(system: str, code: str, text: str) -> Any:
    return coded(system, code, text)


@lru_cache(1_000)
def _category(code: str) -> Any:
    category = KINDS.get(name_of(code), _NO_KIND).category
    return [coded(CATEGORY, *category)] if category else None


def _component(row: Row) -> Any:
    if row.value_quantity is not None:
        unspecified = _SPECIMEN not in row.data_point
        return [_quantity(row.value_quantity, row.value_unit, _measure(row.coding_code, row.value_unit, unspecified))]
    if name_of(row.coding_code) == "blood-pressure":
        body = orjson.loads(row.data_point).get("body", {})
        return [
            _quantity(body[part]["value"], body[part]["unit"], _loinc(code, display))
            for part, (code, display) in PRESSURES.items()
            if part in body
        ]
    return None


def _quantity(value: float, unit: str, code: Any) -> Resource:
    number = int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
    quantity: Resource = {"value": number}
    if unit:
        quantity["unit"] = unit
    if unit in UNITS:
        quantity |= {"system": UCUM, "code": UNITS[unit]}
    return {"code": code, "valueQuantity": quantity}


@lru_cache(1_000)
def _measure(code: str, unit: str, unspecified: bool) -> Any:
    """What the number is of. Never `code` itself: a component that says the same would be the value (FHIR R5 obs-7)."""
    name = name_of(code)
    loinc = KINDS.get(name, _NO_KIND).loinc or {}
    known = loinc.get(unit) or loinc.get("")
    return _loinc(*known) if known and unspecified else {"text": name.replace("-", " ").capitalize()}


@lru_cache(1_000)
def _loinc(code: str, display: str) -> Any:
    return coded(LOINC, code, display)
