"""Glucose readings as an app sends them: in bundles of a thousand, each with an identifier of its own."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

BUNDLE = 1_000
_BEGAN = datetime(2010, 1, 1, tzinfo=UTC)


def data_points(first: int) -> list[dict[str, Any]]:
    """A bundle's worth of readings, five minutes apart."""
    return [_data_point(number) for number in range(first, first + BUNDLE)]


def bundle(patient_id: int, points: list[dict[str, Any]]) -> bytes:
    request = {"method": "POST", "url": "Observation"}
    entries = [{"resource": _observation(patient_id, point), "request": request} for point in points]
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def identifier(point: dict[str, Any]) -> str:
    return f"urn:uuid:{point['header']['uuid']}"


def _data_point(number: int) -> dict[str, Any]:
    time = (_BEGAN + timedelta(minutes=5 * number)).isoformat()
    return {
        "header": {
            "uuid": str(uuid4()),
            "modality": "sensed",
            "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
            "external_datasheets": [{"datasheet_type": "manufacturer", "datasheet_reference": "Sensor"}],
            "source_creation_date_time": time,
        },
        "body": {
            "blood_glucose": {"unit": "mg/dL", "value": 80 + number % 120},
            "effective_time_frame": {"date_time": time},
        },
    }


def _observation(patient_id: int, point: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "https://w3id.org/openmhealth", "code": "omh:blood-glucose:4.0"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": identifier(point)}],
        "valueAttachment": {
            "contentType": "application/json",
            "data": b64encode(json.dumps(point).encode()).decode(),
        },
    }
