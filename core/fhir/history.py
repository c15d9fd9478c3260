"""What resources were: vread, and the history of one resource or of a type (FHIR R5 http.html#vread, #history).

The current version is the resource's own row; those that ended are in core/models/history.py. Both are looked up
through the access views for each request, so a former observation is as hidden as a present one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from core.fhir.elements import instant
from core.fhir.errors import Gone, InvalidResource, Issue, NotSupported, Resource
from core.fhir.registry import type_named
from core.fhir.resource import ResourceType
from core.fhir.search.bundle import link
from core.fhir.search.cursor import seal, unseal
from core.fhir.search.values import moments
from core.models.history import ResourceHistory
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from core.policy.scopes import check_scope

DEFAULT_COUNT = 50
MAX_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `row` is None for the one that a deletion is."""

    type_: ResourceType
    resource_id: str
    version_id: int
    began: datetime
    row: Any

    @property
    def place(self) -> tuple[datetime, int, int]:
        """In the order of a history."""
        key = self.type_.keys([self.resource_id])
        return (self.began, key[0] if key else 0, self.version_id)


def read_version(principal: Principal, type_name: str, id_: str, version_id: str) -> Version:
    """Raises NotVisible, and Gone for the version that is a deletion."""
    type_ = type_named(type_name)
    check_scope(principal, type_.name, "r")
    wanted = int(version_id) if version_id.isascii() and version_id.isdecimal() and len(version_id) < 10 else 0
    for version in _of_instance(principal, type_, id_, version_id=wanted):
        if version.row is None:
            raise Gone(f"{type_.name}/{id_} was deleted with version {wanted}.")
        return version
    raise NotVisible(f"No version {version_id} of {type_.name} {id_} that you can see.")


def check_not_gone(principal: Principal, type_: ResourceType, id_: str) -> None:
    """Raises Gone for what the caller could read before it was deleted (FHIR R5 http.html#read)."""
    if type_.history_of is not None:
        former = _former(principal, type_).filter(resource_id__in=type_.keys([id_]))
        if former.filter(content__isnull=True).exists():
            raise Gone(f"{type_.name}/{id_} was deleted: its history is at {type_.name}/{id_}/_history.")


@dataclass(frozen=True, slots=True)
class Asked:
    """`_count`, `_since` and `_page` of a history. Raises InvalidResource for what they cannot be."""

    count: int
    since: datetime | None
    cursor: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Asked":
        try:
            count = int(given.get("_count") or DEFAULT_COUNT)
            since = moments(given["_since"]).start if given.get("_since") else None
        except ValueError:
            sentence = "_count is a number, and _since an instant such as 2026-09-01T12:00:00Z."
            raise InvalidResource(Issue("value", sentence)) from None
        if count < 1:
            raise InvalidResource(Issue("value", "_count is at least 1."))
        return cls(min(count, MAX_COUNT), since, given.get("_page", ""))


def history(principal: Principal, type_name: str, id_: str, asked: Asked) -> tuple[Resource, set[int]]:
    """A Bundle of type `history`, the newest version first, and whose data is in it. Without `id_`: of all of a type.

    Raises NotVisible for what the caller may see no version of.
    """
    type_ = type_named(type_name)
    check_scope(principal, type_.name, "r" if id_ else "s")
    identity = f"{principal.user_id} history {type_.name} {id_} {asked.since}"
    before = _unsealed(asked.cursor, identity) if asked.cursor else None
    narrowed = _Narrowed(asked.since, before, asked.count + 1)
    found = _of_instance(principal, type_, id_, narrowed) if id_ else _of_type(principal, type_, narrowed)
    if id_ and not found and not asked.cursor and not _of_instance(principal, type_, id_):
        raise NotVisible(no_such(type_.name, id_))
    shown = found[: asked.count]
    path = f"{type_.name}/{id_}/_history" if id_ else f"{type_.name}/_history"
    plain = [("_count", str(asked.count)), *([("_since", instant(asked.since))] if asked.since else [])]
    links = [link("self", path, plain)]
    if len(found) > asked.count:
        began, key, version_id = shown[-1].place
        cursor = seal([instant(began), key, version_id], belongs_to=identity)
        links.append(link("next", path, [*plain, ("_page", cursor)]))
    entries, patient_ids = _entries(principal, type_, shown)
    return {"resourceType": "Bundle", "type": "history", "link": links, "entry": entries}, patient_ids


@dataclass(frozen=True, slots=True)
class _Narrowed:
    since: datetime | None = None
    before: tuple[datetime, int, int] | None = None
    limit: int = MAX_COUNT

    def current(self) -> Q:
        return self._condition("pk")

    def former(self) -> Q:
        return self._condition("resource_id")

    def _condition(self, key: str) -> Q:
        condition = Q(last_updated__gte=self.since) if self.since else Q()
        if self.before is not None:
            began, id_, version_id = self.before
            same = Q(last_updated=began)
            condition &= (
                Q(last_updated__lt=began)
                | same & Q(**{f"{key}__lt": id_})
                | same & Q(**{key: id_}) & Q(version_id__lt=version_id)
            )
        return condition


_ANY = _Narrowed()


def _of_instance(
    principal: Principal, type_: ResourceType, id_: str, narrowed: _Narrowed = _ANY, *, version_id: int | None = None
) -> list[Version]:
    type_.check_named(principal, [id_])
    current = type_.visible_to(principal).filter(type_.has_id([id_]))
    if type_.history_of is None:
        states = [state for row in type_.fetched(current) for state in type_.versions(row)]
        versions = [Version(type_, id_, type_.version_of(state), type_.updated_at(state), state) for state in states]
        return [version for version in versions if _fits(version, narrowed, version_id)][: narrowed.limit]
    former = _former(principal, type_).filter(resource_id__in=type_.keys([id_]))
    if version_id is not None:
        current, former = current.filter(version_id=version_id), former.filter(version_id=version_id)
    return _merged(type_, current, former, narrowed)


def _of_type(principal: Principal, type_: ResourceType, narrowed: _Narrowed) -> list[Version]:
    if type_.history_of is None:
        raise NotSupported(f"{type_.name} has a history per resource only: [type]/[id]/_history.")
    return _merged(type_, type_.visible_to(principal), _former(principal, type_), narrowed)


def _former(principal: Principal, type_: ResourceType) -> "QuerySet[ResourceHistory]":
    if type_.history_of is None:
        return ResourceHistory.objects.none()
    return ResourceHistory.objects.visible_to(principal, type_.history_of)


def _merged(
    type_: ResourceType, current: "QuerySet[Any]", former: "QuerySet[ResourceHistory]", narrowed: _Narrowed
) -> list[Version]:
    rows = current.filter(narrowed.current()).order_by("-last_updated", "-pk")
    ended = former.filter(narrowed.former()).order_by("-last_updated", "-resource_id", "-version_id")
    versions = [
        Version(type_, type_.id_of(row), type_.version_of(row), type_.updated_at(row), row)
        for row in type_.fetched(rows)[: narrowed.limit]
    ]
    for old in ended[: narrowed.limit]:
        row = None if old.is_deletion else old.as_instance()
        versions.append(Version(type_, str(old.resource_id), old.version_id, old.last_updated, row))
    return sorted(versions, key=lambda version: version.place, reverse=True)[: narrowed.limit]


def _fits(version: Version, narrowed: _Narrowed, version_id: int | None) -> bool:
    return (
        (version_id is None or version.version_id == version_id)
        and (narrowed.since is None or version.began >= narrowed.since)
        and (narrowed.before is None or version.place < narrowed.before)
    )


def _unsealed(cursor: str, identity: str) -> tuple[datetime, int, int]:
    began, key, version_id = unseal(cursor, belongs_to=identity)
    return datetime.fromisoformat(began), key, version_id


def _entries(principal: Principal, type_: ResourceType, versions: Sequence[Version]) -> tuple[list[Resource], set[int]]:
    rows = [version.row for version in versions if version.row is not None]
    resources = iter(type_.render(rows, principal))
    entries = [_entry(version, None if version.row is None else next(resources)) for version in versions]
    return entries, {patient_id for row in rows for patient_id in type_.patient_ids(row)}


def _entry(version: Version, resource: Any) -> Resource:
    url = f"{version.type_.name}/{version.resource_id}"
    method, status = ("PUT", "200") if version.version_id > 1 else ("POST", "201")
    if resource is None:
        method, status = "DELETE", "204"
    return {
        "fullUrl": f"{link('self', url, [])['url']}",
        **({} if resource is None else {"resource": resource}),
        "request": {"method": method, "url": version.type_.name if method == "POST" else url},
        "response": {
            "status": status,
            "etag": f'W/"{version.version_id}"',
            "lastModified": instant(version.began),
        },
    }
