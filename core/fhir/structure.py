"""Whether a resource is FHIR R5 at all: its elements, their types and cardinalities, its required codes.

The models of fhir.resources decide; what they let pass although the standard does not is checked beside them.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, cast

from fhir.resources import get_fhir_model_class
from fhir.resources.resource import Resource as R5Resource
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from core.fhir import narrative
from core.fhir.errors import InvalidResource, Issue, Resource

MAX_ISSUES = 20
"""More faults than anybody corrects at once."""
MAX_DEPTH = 50
"""The deepest official example nests 12 levels; recursion here must end."""
_OF_CONSENT = re.compile(r"\.provision\[\d+\]\.resourceType$")
"""The one element of that name that says no type of its resource (FHIR R5 consent.html)."""
_KINDS = {"missing": "required", "extra_forbidden": "structure"}


def check_structure(resource: Any, type_name: str, *, at: str = "") -> Resource:
    """The resource itself. Raises InvalidResource with an issue per fault, each with the expression of its place.

    `at` is where the resource stands in a larger one, such as `Bundle.entry[3].resource`.
    """
    place = at or type_name
    if not isinstance(resource, dict):
        raise InvalidResource(Issue("structure", f"{place} must be a JSON object.", place))
    if resource.get("resourceType") != type_name:
        raise InvalidResource(Issue("invalid", f"{place}.resourceType must be {type_name}.", f"{place}.resourceType"))
    issues = [*islice(_unkept(resource, place, MAX_DEPTH), MAX_ISSUES)]
    if not issues:
        issues = _faults(resource, type_name, place)
    if issues:
        raise InvalidResource(*issues[:MAX_ISSUES])
    return resource


def _faults(resource: Resource, type_name: str, place: str) -> list[Issue]:
    try:
        model = get_fhir_model_class(type_name).model_validate(resource)
    except ValidationError as error:
        return [_issue(fault, place) for fault in error.errors(include_url=False, include_context=False)]
    return [*islice(_misread(model, resource, place), MAX_ISSUES)]


def _unkept(value: Any, place: str, depth: int) -> Iterator[Issue]:
    """What the models drop, let pass or cannot read. FHIR R5 json.html: no null outside arrays of primitives, nothing
    empty; narrative.html: nothing active."""
    if depth == 0:
        yield Issue("too-long", f"{place} nests deeper than any resource does.", place)
    elif isinstance(value, dict):
        if not value:
            yield Issue("structure", f"{place} is an empty object: leave it out.", place)
        for name, inner in value.items():
            yield from _misplaced(name, inner, f"{place}.{name}")
            yield from _unkept(inner, f"{place}.{name}", depth - 1)
    elif isinstance(value, list):
        if not value:
            yield Issue("structure", f"{place} is an empty array: leave it out.", place)
        for position, inner in enumerate(value):
            yield from _unkept(inner, f"{place}[{position}]", depth - 1)
    elif value == "":
        yield Issue("structure", f"{place} is an empty text: leave it out.", place)


def _misplaced(name: str, value: Any, place: str) -> Iterator[Issue]:
    if value is None:
        yield Issue("structure", f"{place} is null: leave it out.", place)
    elif name == "div" and isinstance(value, str):
        yield from _narrative(value, place)
    elif name == "resourceType" and not (_is_resource_type(value) or _OF_CONSENT.search(place)):
        yield Issue("value", f"{place} is no type of R5 resource.", place)
    elif name == "contained":
        for position, item in _items(value):
            if not isinstance(item, dict) or "resourceType" not in item:
                yield Issue("structure", f"{place}[{position}] must be a resource.", f"{place}[{position}]")
    elif name.startswith("_"):
        for _, item in _items(value):
            if not isinstance(item, dict | None):
                yield Issue("structure", f"{place} must hold the id or extensions of {name[1:]}.", place)


def _is_resource_type(name: Any) -> bool:
    try:
        return issubclass(get_fhir_model_class(name), R5Resource)
    except (TypeError, ValueError):
        return False


def _narrative(div: str, place: str) -> Iterator[Issue]:
    return (Issue("invariant", f"{place} {fault}.", place) for fault in narrative.faults(div))


def _misread(model: BaseModel, sent: Resource, place: str) -> Iterator[Issue]:
    """Codes outside of what their element may hold, which the models list and do not look at; and what they turned into
    another JSON type than was sent, such as "5" into 5."""
    for name, field in type(model).model_fields.items():
        spelled = field.alias or name
        if spelled not in sent:
            continue
        known = _known_codes(field)
        as_sent = dict(_items(sent[spelled]))
        for position, item in _items(getattr(model, name)):
            inner = f"{place}.{spelled}" + ("" if position is None else f"[{position}]")
            if not _is_same_type(item, as_sent.get(position)):
                yield Issue("structure", f"{inner} is of another JSON type than its element.", inner)
            elif isinstance(item, BaseModel):
                yield from _misread(item, as_sent[position], inner)
            elif known and item is not None and item not in known:
                yield Issue("code-invalid", f"{inner} must be one of {', '.join(known)}.", inner)


def _is_same_type(read: Any, sent: Any) -> bool:
    match sent:
        case None:
            return read is None
        case bool():
            return isinstance(read, bool)
        case int() | float():
            return isinstance(read, int | float | Decimal) and not isinstance(read, bool)
        case str():
            return not isinstance(read, bool | int | float | Decimal | BaseModel)
        case _:
            return isinstance(sent, dict) and isinstance(read, BaseModel)


def _known_codes(field: FieldInfo) -> list[str]:
    """All codes that the element may hold, or none where the models do not list all of them ("+")."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    codes = [str(code) for code in cast("list[object]", extra.get("enum_values") or [])]
    return [] if any(code.endswith("+") for code in codes) else codes


def _items(value: Any) -> Iterator[tuple[int | None, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)
    else:
        yield None, value


def _issue(fault: Any, place: str) -> Issue:
    where = place + "".join(_step(step) for step in fault["loc"])
    code = _KINDS.get(fault["type"], "value")
    return Issue(code, f"{where}: {fault['msg'].removeprefix('Value error, ')}.".replace("..", "."), where)


def _step(step: Sequence[str] | int) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"
