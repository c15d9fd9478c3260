"""`_sort` (FHIR R5 search.html#sort), and pages along it: each begins after the last row of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from core.fhir.search.conditions import UnknownParameter
from core.fhir.search.parameters import Context
from core.fhir.search.tokens import Id


@dataclass(frozen=True, slots=True)
class Key:
    expression: Any
    is_descending: bool


def sort_keys(rule: str, context: Context) -> list[Key]:
    """The keys of a `_sort`, the id last, so that no two rows are equal. Raises UnknownParameter."""
    keys: list[Key] = []
    for name in rule.split(","):
        code = name.strip().removeprefix("-")
        parameter = context.type_.parameters.get(code)
        is_descending = name.strip().startswith("-")
        if isinstance(parameter, Id):
            return [*keys, Key(F("pk"), is_descending)]
        expressions = parameter.order() if parameter else []
        if not expressions:
            raise UnknownParameter(f"_sort={code}")
        keys += [Key(expression, is_descending) for expression in expressions]
    return [*keys, Key(F("pk"), bool(keys) and keys[-1].is_descending)]


def in_order(rows: QuerySet[Any], keys: Sequence[Key], after: Sequence[Any] | None) -> QuerySet[Any]:
    """The rows after a position, which is the values of the keys of a row that need not be there any more."""
    names = [f"sort_{number}" for number in range(len(keys))]
    rows = rows.annotate(**{name: key.expression for name, key in zip(names, keys, strict=True)})
    if after is not None:
        rows = rows.filter(_beyond(names, keys, after))
    return rows.order_by(*(f"-{n}" if key.is_descending else n for n, key in zip(names, keys, strict=True)))


def position(row: Any, keys: Sequence[Key]) -> list[Any]:
    return [getattr(row, f"sort_{number}") for number in range(len(keys))]


def _beyond(names: Sequence[str], keys: Sequence[Key], after: Sequence[Any]) -> Q:
    """`(a, b, c) > (x, y, z)`, each key in its own direction: a > x, or a = x and (b > y, or …)."""
    beyond = Q(pk__in=[])
    for name, key, value in reversed(list(zip(names, keys, after, strict=True))):
        further = Q(**{f"{name}__lt" if key.is_descending else f"{name}__gt": value})
        beyond = further | (Q(**{name: value}) & beyond)
    return beyond
