"""Searching one type, for the door's views and for entries of a Bundle (FHIR R5 http.html#search)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.fhir.errors import Issue, Resource
from core.fhir.registry import TYPES, type_named
from core.fhir.resource import ResourceType, integer_id
from core.fhir.search.bundle import entry, link, outcome_entry, searchset
from core.fhir.search.includes import included, parse_include
from core.fhir.search.query import Page, Search, parse
from core.fhir.search.subset import Subset
from core.policy.principal import Principal
from core.policy.scopes import check_scope


@dataclass(frozen=True, slots=True)
class Found:
    """A Bundle, whose data is in it, and for the audit trail by what and through which study it was asked for."""

    bundle: Resource
    patient_ids: set[int] = field(default_factory=set)
    parameters: tuple[str, ...] = ()
    study_id: int | None = None


def search(
    principal: Principal,
    type_name: str,
    parameters: Sequence[tuple[str, str]],
    *,
    strict: bool = False,
    within: Sequence[tuple[str, str]] = (),
    path: str = "",
) -> Found:
    """A page of a search. `path` is that of its URL, where it is not the type's own; `within` are parameters that
    narrow it and are not in the URL's query.

    Raises InsufficientScope, NotVisible for a type that is not served, and InvalidResource.
    """
    type_ = type_named(type_name)
    check_scope(principal, type_.name, "s")
    asked = parse(type_, TYPES, principal, parameters, strict=strict, within=within)
    includes = [parse_include(name, value, asked.context) for name, value in asked.controls.includes]
    page = Page([], None) if asked.controls.only_count else type_.page(asked)
    shown = Shown(principal, asked.controls.subset)
    shown.add(type_, page.rows, "match")
    if includes and page.rows:
        beside, is_cut = included(includes, {type_.name: {type_.key_of(row): row for row in page.rows}}, asked.context)
        for name, rows in beside.items():
            shown.add(TYPES[name], list(rows.values()), "include")
        if is_cut:
            shown.issues.append(Issue("incomplete", "Not all that belongs to the page is included.", "", "warning"))
    shown.issues += [
        Issue("not-supported", f"{type_.name} has no search parameter {name[:64]}: it was ignored.", "", "warning")
        for name in asked.ignored
    ]
    links = _links(asked, page, path or type_.name)
    outcome = [outcome_entry(shown.issues)] if shown.issues else []
    return Found(
        searchset(links, [*shown.entries, *outcome], _total(asked, page)),
        shown.patient_ids,
        tuple(sorted({name for name, _ in asked.criteria})),
        _study_id(asked),
    )


@dataclass(slots=True)
class Shown:
    """The entries of a page as they come together."""

    principal: Principal
    subset: Subset
    entries: list[Resource] = field(default_factory=list)
    patient_ids: set[int] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)

    def add(self, type_: ResourceType, rows: Sequence[Any], mode: str) -> None:
        resources = type_.render(rows, self.principal)
        if not self.subset.is_whole:
            resources = [self.subset.of(type_.name, resource) for resource in resources]
        urls = map(type_.url_of, rows)
        self.entries += [entry(url, resource, mode) for url, resource in zip(urls, resources, strict=True)]
        self.patient_ids.update(*map(type_.patient_ids, rows))


def _study_id(asked: Search) -> int | None:
    """The one study whose members, or whose data, were asked for."""
    named = {
        integer_id(value)
        for name, value in asked.criteria
        if name.endswith((":Group:member:_id", ":_group:member:_id"))
    }
    return named.pop() if len(named) == 1 else None


def _links(asked: Search, page: Page, path: str) -> list[Resource]:
    first = [(name, value) for name, value in asked.understood if name != "_page"]
    links = [link("self", path, asked.understood), link("first", path, first)]
    if page.next is not None:
        links.append(link("next", path, [*first, ("_page", asked.cursor(page.next))]))
    return links


def _total(asked: Search, page: Page) -> int | None:
    """Where it was asked for; and where it is known anyway, because the first page is all there is."""
    if asked.controls.only_count or asked.controls.total != "none":
        return asked.context.type_.total(asked)
    return len(page.rows) if page.next is None and not asked.controls.cursor else None
