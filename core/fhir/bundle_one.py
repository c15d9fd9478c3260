"""One entry of a Bundle, carried out as the same request alone would be."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from core.fhir import conditional, writing
from core.fhir.bundle import Answer
from core.fhir.bundle_entries import Entry
from core.fhir.errors import InvalidResource, Issue, NotSupported, Resource
from core.fhir.patch import operations_of
from core.fhir.reading import read
from core.fhir.search.subset import Subset
from core.fhir.searching import search
from core.fhir.writing import Changed
from core.policy.principal import Principal

MAX_RESOURCES = 2_000
"""That all reads and searches of one Bundle show: all of the answer is in memory at once."""
MAX_SEARCHES = 50


class OneByOne:
    """Carries out entries of one Bundle, and collects whose data was read on the way."""

    def __init__(self, *, with_resources: bool) -> None:
        self.patient_ids: set[int] = set()
        self.with_resources = with_resources
        self.resources = self.searches = 0

    def __call__(self, principal: Principal, entry: Entry) -> Answer:
        """Raises DomainError, as the request alone would."""
        if "/" in entry.path or entry.path.startswith("$"):
            place = f"{entry.at}.request.url"
            raise InvalidResource(Issue("not-supported", f"{place} must be [type], [type]/[id] or a search.", place))
        return self._handlers[entry.method](self, principal, entry)

    def _get(self, principal: Principal, entry: Entry) -> Answer:
        parameters = parse_qsl(entry.query, keep_blank_values=True)
        if not entry.path:
            self._spend(searches=1)
            found = search(principal, entry.type_name, parameters)
            self._spend(resources=len(found.bundle["entry"]))
            self.patient_ids |= found.patient_ids
            return Answer(200, resource=found.bundle)
        self._spend(resources=1)
        seen = read(principal, entry.type_name, entry.path, Subset.asked(dict(parameters)))
        self.patient_ids.update(seen.patient_ids)
        return Answer(200, etag=seen.headers["ETag"], resource=seen.resource)

    def _spend(self, *, resources: int = 0, searches: int = 0) -> None:
        """Raises InvalidResource once a Bundle asks for more than one answer should hold."""
        self.resources += resources
        self.searches += searches
        if self.resources > MAX_RESOURCES or self.searches > MAX_SEARCHES:
            sentence = (
                f"A Bundle reads at most {MAX_RESOURCES:,} resources in at most {MAX_SEARCHES} searches: "
                "ask for the rest in another one."
            )
            raise InvalidResource(Issue("too-costly", sentence))

    def _post(self, principal: Principal, entry: Entry) -> Answer:
        if entry.path:
            raise NotSupported("POST creates, so its URL is the type alone.")
        arguments = (principal, entry.type_name, entry.resource)
        if query := entry.if_none_exist or entry.query:
            return self._changed(principal, conditional.create_unless(*arguments, query, at=entry.inside))
        return self._changed(principal, writing.create(*arguments, at=entry.inside))

    def _put(self, principal: Principal, entry: Entry) -> Answer:
        versions = {"if_match": entry.if_match, "at": entry.inside}
        if entry.path:
            changed = writing.update(principal, entry.type_name, entry.path, entry.resource, **versions)
        else:
            changed = conditional.update_matching(principal, entry.type_name, _query(entry), entry.resource, **versions)
        return self._changed(principal, changed)

    def _patch(self, principal: Principal, entry: Entry) -> Answer:
        operations = operations_of(entry.resource, at=entry.inside)
        change, which = (writing.patch, entry.path) if entry.path else (conditional.patch_matching, _query(entry))
        return self._changed(principal, change(principal, entry.type_name, which, operations, if_match=entry.if_match))

    def _delete(self, principal: Principal, entry: Entry) -> Answer:
        change, which = (writing.delete, entry.path) if entry.path else (conditional.delete_matching, _query(entry))
        return self._changed(principal, change(principal, entry.type_name, which, if_match=entry.if_match))

    def _changed(self, principal: Principal, changed: Changed) -> Answer:
        if changed.row is None:
            return Answer(changed.status)
        type_, row = changed.type_, changed.row
        resource: Resource | None = type_.render([row], principal)[0] if self.with_resources else None
        version = type_.version_of(row)
        return Answer(
            changed.status,
            location=f"{type_.name}/{type_.id_of(row)}/_history/{version}",
            etag=f'W/"{version}"',
            last_modified=type_.updated_at(row),
            resource=resource,
        )

    _handlers: dict[str, Callable[[Any, Principal, Entry], Answer]] = {
        "GET": _get,
        "HEAD": _get,
        "POST": _post,
        "PUT": _put,
        "PATCH": _patch,
        "DELETE": _delete,
    }


def _query(entry: Entry) -> str:
    if not entry.query:
        place = f"{entry.at}.request.url"
        raise InvalidResource(Issue("required", f"{place} says neither an id nor a query.", place))
    return entry.query
