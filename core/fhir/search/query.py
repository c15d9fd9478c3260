"""A search of one type: what was asked, and a page of what is found (FHIR R5 search.html)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from core.fhir.errors import InvalidResource, Issue
from core.fhir.search.conditions import UnknownParameter, condition
from core.fhir.search.controls import CONTROLS, Controls, controls
from core.fhir.search.cursor import seal, unseal
from core.fhir.search.parameters import Context, malformed
from core.fhir.search.sort import Key, in_order, position, sort_keys
from core.policy.principal import Principal

if TYPE_CHECKING:
    from core.fhir.resource import ResourceType

MAX_PARAMETERS = 100
MAX_VALUES = 1_000
"""In all parameters together, where commas separate several."""


@dataclass(frozen=True, slots=True)
class Search:
    """`understood` are the parameters as sent, those that were ignored left out; `ignored` are the names of those."""

    context: Context
    criteria: tuple[tuple[str, str], ...]
    """Those of `understood` that say which rows."""
    conditions: tuple[Q, ...]
    controls: Controls
    keys: tuple[Key, ...]
    understood: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    after: list[Any] | None = None
    """The position that the page begins after."""

    def cursor(self, at: list[Any]) -> str:
        return seal(at, belongs_to=self.identity)

    @property
    def identity(self) -> str:
        """What a cursor belongs to: this person and this search."""
        asked = [(name, value) for name, value in self.understood if name != "_page"]
        return repr((self.context.principal.user_id, self.context.type_.name, self.criteria, asked))


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Any]
    next: list[Any] | None
    """The position after the last row, when more follow."""


def parse(
    type_: "ResourceType",
    types: "Mapping[str, ResourceType]",
    principal: Principal,
    parameters: Sequence[tuple[str, str]],
    *,
    strict: bool = False,
    within: Sequence[tuple[str, str]] = (),
) -> Search:
    """What the parameters ask for, `within` what those say that nobody sent: a compartment.

    Raises InvalidResource for what is malformed, or with `strict` unknown, and for a cursor of something else.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise InvalidResource(Issue("too-costly", f"A search has at most {MAX_PARAMETERS} parameters."))
    if sum(value.count(",") + 1 for _, value in parameters) > MAX_VALUES:
        raise InvalidResource(Issue("too-costly", f"A search has at most {MAX_VALUES} values: ask for some at a time."))
    context = Context(principal, type_, types)
    understood, ignored = [], []
    criteria, conditions = [*within], [condition(name, value, context) for name, value in within]
    for name, value in parameters:
        if "\0" in value or "\0" in name:
            raise malformed(name.replace("\0", ""), "holds the character NUL.")
        if name.split(":")[0] not in CONTROLS and value:
            try:
                conditions.append(condition(name, value, context))
            except UnknownParameter:
                ignored.append(name)
                continue
            criteria.append((name, value))
        understood.append((name, value))
    asked = controls(understood, max_count=type_.max_page, default_sort=type_.default_sort)
    try:
        keys = sort_keys(asked.sort, context)
    except UnknownParameter as unknown:
        ignored.append(str(unknown))
        understood = [(name, value) for name, value in understood if name != "_sort"]
        keys = sort_keys(type_.default_sort, context)
    if ignored and strict:
        raise InvalidResource(
            *(Issue("not-supported", f"{type_.name} has no search parameter {n[:64]}.", n[:64]) for n in ignored)
        )
    search = Search(context, tuple(criteria), tuple(conditions), asked, tuple(keys), tuple(understood), tuple(ignored))
    if not asked.cursor:
        return search
    return replace(search, after=unseal(asked.cursor, belongs_to=search.identity))


def page(search: Search) -> Page:
    """One page, rights looked up for it anew."""
    type_, count = search.context.type_, search.controls.count
    rows = type_.visible_to(search.context.principal).filter(*search.conditions)
    found = list(type_.fetched(in_order(rows, search.keys, search.after))[: count + 1])
    shown = found[:count]
    return Page(shown, position(shown[-1], search.keys) if len(found) > count else None)


def total(search: Search) -> int:
    """All that the search finds, on all pages."""
    found: int = search.context.type_.visible_to(search.context.principal).filter(*search.conditions).count()
    return found
