"""Elements of resources that are sent, as values for our columns. Structure has been checked before."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db.models import Model

from core.fhir.door import BASE
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.resource import integer_id


def referenced(value: Any, type_name: str, at: str) -> int:
    """The key of the row that a Reference names: `Patient/40001`, or its absolute URL here.

    Raises Unprocessable for what names no resource of this type here; whether the caller may see it is not known yet.
    """
    text = value.get("reference", "") if isinstance(value, dict) else ""
    named, _, id_ = text.removeprefix(f"{BASE}/").partition("/")
    key = integer_id(id_.partition("/_history/")[0]) if named == type_name else None
    if key is None:
        raise Unprocessable(Issue("value", f"{at} must be a reference such as {type_name}/40001.", f"{at}.reference"))
    return key


def required(resource: Resource, element: str, why: str) -> Any:
    """An element that the standard leaves open and the exchange needs."""
    if element not in resource:
        place = f"{resource['resourceType']}.{element}"
        raise Unprocessable(Issue("required", f"{place} is missing: {why}.", place))
    return resource[element]


def names_of(names: Sequence[Resource]) -> dict[str, str]:
    """`name_family` and `name_given` of the name that somebody goes by: official, then usual, then the first."""
    order = {"official": 0, "usual": 1, None: 2}
    best = min(names, key=lambda name: order.get(name.get("use"), 3), default={})
    return {"name_family": best.get("family", ""), "name_given": " ".join(filter(None, best.get("given", [])))}


def telecom_of(points: Sequence[Resource], system: str) -> str:
    """The first phone number or e-mail address; a higher rank (a lower number) comes first."""
    found = [point for point in points if point.get("system") == system and point.get("value")]
    return str(min(found, key=lambda point: point.get("rank", 99))["value"]) if found else ""


def identifiers_of(identifiers: Iterable[Resource]) -> list[tuple[str, str]]:
    """(system, value) pairs; an identifier that lacks one of them identifies nothing beyond its own sender."""
    return [(i["system"], i["value"]) for i in identifiers if i.get("system") and i.get("value")]


def whole_date(text: str | None) -> date | None:
    """A date with its day; `1980` and `1980-05` are no date that a column could hold."""
    return date.fromisoformat(text) if text and len(text) == 10 else None


def codes_of(concepts: Iterable[Resource]) -> Iterator[tuple[str, str]]:
    """(system, code) of every coding of some CodeableConcepts."""
    for concept in concepts:
        for coding in concept.get("coding", []):
            yield coding.get("system", ""), coding.get("code", "")


def fitting(model: type[Model], type_name: str, columns: dict[str, Any]) -> dict[str, Any]:
    """The columns, if each text fits its own. Raises Unprocessable with the length that does."""
    for name, value in columns.items():
        longest = getattr(model._meta.get_field(name), "max_length", None)
        if isinstance(value, str) and longest and len(value) > longest:
            raise Unprocessable(
                Issue("too-long", f"A {name.replace('_', ' ')} has at most {longest} characters here.", type_name)
            )
    return columns
