"""A reading as an Open mHealth data point (header: IEEE 1752.1, body: omh:blood-glucose:4.0)."""

from typing import Any
from uuid import UUID, uuid5

from core.importers.reader import Reading

BLOOD_GLUCOSE = "omh:blood-glucose:4.0"

_NAMESPACE = UUID("6f2d7c1e-94a3-5b0e-8a57-0d1f3c9b2e64")


def data_point(reading: Reading, *, identifier_system: str) -> dict[str, Any]:
    """The same reading of the same person gives the same `header.uuid`, in whichever file it comes.

    The person is `reading.subject` within `identifier_system`.
    """
    time = reading.time.isoformat()
    value = int(reading.value) if reading.value.is_integer() else reading.value
    return {
        "header": {
            "uuid": str(uuid5(_NAMESPACE, f"{identifier_system} {reading.subject} {reading.format} {reading.mark}")),
            "schema_id": dict(zip(("namespace", "name", "version"), BLOOD_GLUCOSE.split(":"), strict=True)),
            "source_creation_date_time": time,
            "modality": "sensed",
        },
        "body": {
            "blood_glucose": {"value": value, "unit": reading.unit},
            "effective_time_frame": {"date_time": time},
            "specimen_source": "interstitial fluid",
        },
    }
