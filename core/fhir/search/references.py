"""References between resources (FHIR R5 search.html#reference): by value, in chains, by `_has` and in includes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, F, Func, Q, QuerySet, Value

from core.fhir.door import BASE
from core.fhir.search import values
from core.fhir.search.parameters import NOTHING, Context, SearchParameter
from core.policy.principal import Principal

FEW = 1_000


class Unnest(Func):
    function = "unnest"
    set_returning = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How rows say which row of a type they refer to: `column` of theirs holds `key` of the other's."""

    column: str
    key: str = "pk"
    is_array: bool = False
    among: Callable[[Principal], QuerySet[Any]] | None = None
    """The rows that may be told by their id, where `column` is not that id: those that the reference is shown of."""

    def to(self, rows: QuerySet[Any]) -> Q:
        keys = rows.order_by().values(self.key)
        if not self.is_array:
            return Q(**{f"{self.column}__in": keys})
        # PostgreSQL finds the rows of an array's elements by its index when it sees how rare these elements are.
        some = list(keys.values_list(self.key, flat=True)[: FEW + 1])
        seen = Value(some, output_field=ArrayField(BigIntegerField()))
        return Q(**{f"{self.column}__overlap": seen if len(some) <= FEW else keys})

    def of(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The keys that these rows refer to."""
        if self.is_array:
            return rows.order_by().values_list(Unnest(F(self.column)))
        return rows.filter(**{f"{self.column}__isnull": False}).order_by().values(self.column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(SearchParameter):
    """`targets` by the name of their type. `:identifier` and chains look only at those that the caller may read."""

    kind = "reference"
    modifiers = frozenset({"missing", "identifier"})
    targets: Mapping[str, Target]

    def one(self, value: str, modifier: str, context: Context) -> Q:
        type_name, id_ = spelled(values.unescape(value))
        if modifier in self.targets:
            type_name = type_name or modifier
            if type_name != modifier:
                return NOTHING
        named = [type_name] if type_name else list(self.targets)
        return reduce(or_, (self._id(name, id_, context) for name in named if name in self.targets), NOTHING)

    def _id(self, type_name: str, id_: str, context: Context) -> Q:
        type_, target = context.types[type_name], self.targets[type_name]
        type_.check_named(context.principal, [id_])
        if target.key == "pk" and not target.is_array:
            return Q(**{f"{target.column}__in": type_.keys([id_])})
        rows = target.among(context.principal) if target.among else type_.visible_to(context.principal)
        return self._to(type_name, rows.filter(type_.has_id([id_])), context)

    def to_rows(self, type_name: str, rows: QuerySet[Any], context: Context) -> Q:
        """Those that refer to one of these rows: for a chain, and for `_revinclude`."""
        return self.lifted(self._to(type_name, rows, context), context)

    def _to(self, type_name: str, rows: QuerySet[Any], context: Context) -> Q:
        return self.targets[type_name].to(rows)

    def from_rows(self, type_name: str, rows: QuerySet[Any], context: Context) -> Q:
        """Those of a type that these rows refer to: for `_has`, and for `_include`."""
        if self.within is not None:
            rows = self.within.rows(context.principal).filter(
                **{f"{self.within.owner}__in": rows.order_by().values("pk")}
            )
        target = self.targets[type_name]
        return Q(**{f"{target.key}__in": target.of(rows)})

    def present(self) -> Q:
        return reduce(or_, (self._present(target) for target in self.targets.values()))

    def _present(self, target: Target) -> Q:
        return Q(**{f"{target.column}__len__gt" if target.is_array else f"{target.column}__gte": 0})


def spelled(text: str) -> tuple[str, str]:
    """(type or "", id) of `id`, `Type/id`, either with a version, or an absolute URL; of another server, nothing."""
    if "://" in text:
        if not text.startswith(f"{BASE}/"):
            return "", ""
        text = text.removeprefix(f"{BASE}/")
    parts = urlsplit(text).path.split("/") if not text.startswith("urn:") else []
    match parts:
        case [id_]:
            return "", id_
        case [type_name, id_] | [type_name, id_, "_history", _]:
            return type_name, id_
    return "", ""
