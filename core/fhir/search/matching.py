"""Which resources a query means, for changes on condition (FHIR R5 http.html#cond-update)."""

from urllib.parse import parse_qsl

from core.fhir.errors import InvalidResource, Issue
from core.fhir.registry import TYPES
from core.fhir.resource import ResourceType
from core.fhir.search.query import parse
from core.policy.principal import Principal


def matching_ids(principal: Principal, type_: ResourceType, query: str, *, limit: int) -> list[str]:
    """The ids of at most `limit` that the caller may read. Raises InvalidResource for an unknown parameter, which would
    widen the query, and for a query that names nothing."""
    search = parse(type_, TYPES, principal, parse_qsl(query), strict=True)
    if not search.conditions:
        raise InvalidResource(Issue("required", "The query names nothing: say which resource is meant."))
    rows = type_.visible_to(principal).filter(*search.conditions).order_by("pk")
    return [type_.id_of(row) for row in rows[:limit]]
