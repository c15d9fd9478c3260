"""Whether a resource is FHIR R5 at all: its elements, their types and cardinalities, its required codes.

The models of fhir.resources decide; what they let pass although the standard does not is checked beside them.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast

from fhir.resources import get_fhir_model_class
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from core.fhir import narrative
from core.fhir.errors import InvalidResource, Issue, Resource

MAX_ISSUES = 20
"""More faults than anybody corrects at once."""
MAX_DEPTH = 50
"""The deepest official example nests 12 levels; recursion here must end."""

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
    return [*islice(_unknown_codes(model, place), MAX_ISSUES)]


def _unkept(value: Any, place: str, depth: int) -> Iterator[Issue]:
    """What the models drop or let pass. FHIR R5 json.html: no null outside arrays of primitives, nothing empty;
    narrative.html: nothing active."""
    if depth == 0:
        yield Issue("too-long", f"{place} nests deeper than any resource does.", place)
    elif isinstance(value, dict):
        if not value:
            yield Issue("structure", f"{place} is an empty object: leave it out.", place)
        for name, inner in value.items():
            if inner is None:
                yield Issue("structure", f"{place}.{name} is null: leave it out.", f"{place}.{name}")
            if name == "div" and isinstance(inner, str):
                yield from _narrative(inner, f"{place}.div")
            yield from _unkept(inner, f"{place}.{name}", depth - 1)
    elif isinstance(value, list):
        if not value:
            yield Issue("structure", f"{place} is an empty array: leave it out.", place)
        for position, inner in enumerate(value):
            yield from _unkept(inner, f"{place}[{position}]", depth - 1)
    elif value == "":
        yield Issue("structure", f"{place} is an empty text: leave it out.", place)


def _narrative(div: str, place: str) -> Iterator[Issue]:
    return (Issue("invariant", f"{place} {fault}.", place) for fault in narrative.faults(div))


def _unknown_codes(model: BaseModel, place: str) -> Iterator[Issue]:
    """Codes outside of what their element may hold; the models list them and do not look."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        known = _known_codes(field)
        spelled = field.alias or name
        for position, item in _items(value):
            inner = f"{place}.{spelled}" + ("" if position is None else f"[{position}]")
            if isinstance(item, BaseModel):
                yield from _unknown_codes(item, inner)
            elif known and item is not None and item not in known:
                yield Issue("code-invalid", f"{inner} must be one of {', '.join(known)}.", inner)


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
