"""The searchset Bundle (FHIR R5 bundle.html#searchset)."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from core.fhir.door import BASE
from core.fhir.errors import Issue, Resource, operation_outcome


def link(relation: str, path: str, parameters: Iterable[tuple[str, str]]) -> Resource:
    query = urlencode(list(parameters), safe="$,:/")
    return {"relation": relation, "url": f"{BASE}/{path}{'?' if query else ''}{query}"}


def entry(url: str, resource: Any, mode: str) -> Resource:
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def outcome_entry(issues: Sequence[Issue]) -> Resource:
    """What the search says of itself. It has an id like every other resource, because clients count on that."""
    return entry(f"urn:uuid:{uuid4()}", {**operation_outcome(*issues), "id": "outcome"}, "outcome")


def searchset(links: Sequence[Resource], entries: Sequence[Resource], total: int | None) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        **({} if total is None else {"total": total}),
        "link": list(links),
        "entry": list(entries),
    }
