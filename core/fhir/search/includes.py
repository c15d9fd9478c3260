"""`_include` and `_revinclude`: other resources beside those found (FHIR R5 search.html#revinclude).

Each type is authorised as a search of it: the token has the scope, and the rows are those that the caller may read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from core.fhir.search.parameters import Context, malformed
from core.fhir.search.references import Reference
from core.policy.scopes import check_scope

if TYPE_CHECKING:
    from core.fhir.resource import ResourceType

_ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class Include:
    """`referring` rows, or rows that `code` of theirs refers to, of type `target`; "" is every type it can refer to."""

    is_reverse: bool
    iterates: bool
    referring: "ResourceType"
    parameters: tuple[Reference, ...]
    target: str


Found = dict[str, dict[Any, Any]]
"""Type -> key -> row."""


def parse_include(name: str, value: str, context: Context) -> Include:
    """Raises InvalidResource for what does not exist: an include that includes nothing would go unnoticed."""
    kind, _, modifier = name.partition(":")
    if modifier not in ("", "iterate"):
        raise malformed(name, "the modifier must be :iterate.")
    type_name, code, target = [*value.split(":"), "", ""][:3] if value != "*" else (context.type_.name, "*", "")
    referring = context.types.get(type_name)
    if referring is None:
        raise malformed(name, f"there is no type {type_name[:64]} here.")
    known = {code: p for code, p in referring.parameters.items() if isinstance(p, Reference)}
    if code != "*" and code not in known:
        raise malformed(name, f"{type_name} has no reference {code[:64]}; there is {', '.join(known) or 'none'}.")
    parameters = tuple(known.values()) if code == "*" else (known[code],)
    is_reverse = kind == "_revinclude"
    return Include(is_reverse, modifier == "iterate", referring, parameters, target)


def included(includes: Iterable[Include], page: Found, context: Context) -> tuple[Found, bool]:
    """(what goes with a page and is not on it, whether some was left out: each include brings a page at most)."""
    found: Found = {}
    is_cut = False
    wanted, sources = list(includes), page
    for _ in range(_ITERATIONS):
        new: Found = {}
        for include in wanted:
            for type_, condition in _conditions(include, sources, context):
                check_scope(context.principal, type_.name, "s")
                known = [*page.get(type_.name, ()), *found.get(type_.name, ()), *new.get(type_.name, ())]
                rows = type_.visible_to(context.principal).filter(condition).exclude(pk__in=known)
                some = list(type_.fetched(rows.order_by("pk"))[: type_.max_page + 1])
                is_cut = is_cut or len(some) > type_.max_page
                new.setdefault(type_.name, {}).update({row.pk: row for row in some[: type_.max_page]})
        for type_name, rows_by_key in new.items():
            found.setdefault(type_name, {}).update(rows_by_key)
        wanted, sources = [include for include in wanted if include.iterates], new
        if not wanted or not any(new.values()):
            break
    return found, is_cut


def _conditions(include: Include, sources: Found, context: Context) -> Iterable[tuple["ResourceType", Q]]:
    for parameter in include.parameters:
        for name in parameter.targets:
            if include.target not in ("", name) or name not in context.types:
                continue
            source = context.types[name] if include.is_reverse else include.referring
            if keys := sources.get(source.name):
                rows = source.visible_to(context.principal).filter(pk__in=list(keys))
                inner = context.of(include.referring)
                if include.is_reverse:
                    yield include.referring, parameter.to_rows(name, rows, inner)
                else:
                    yield context.types[name], parameter.from_rows(name, rows, inner)
