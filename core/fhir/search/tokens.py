"""Codes, identifiers and labels in a search (FHIR R5 search.html#token)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q

from core.fhir.search import values
from core.fhir.search.parameters import EVERYTHING, NOTHING, Context, SearchParameter, is_true


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(SearchParameter):
    """search.html#token. `code` is a column, `system` a fixed URI, `system_column` where rows have their own."""

    kind = "token"
    modifiers = frozenset({"missing", "not", "text"})
    code: str
    system: str = ""
    system_column: str = ""
    text: str = ""
    """The column of the words that `:text` looks at."""
    ignore_case: bool = False
    names: Mapping[str, str] | None = None
    """FHIR's code -> what the column holds, where that differs."""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        if modifier == "text":
            return Q(**{f"{self.text or self.code}__plain__contains": values.unescape(value)})
        wanted = values.token(value)
        found = EVERYTHING if wanted.system is None else self._of_system(wanted.system)
        if not wanted.code:
            return found & self.present()
        if self.names is not None and wanted.code not in self.names:
            return NOTHING
        code = self.names[wanted.code] if self.names else wanted.code
        return found & Q(**{f"{self.code}__iexact" if self.ignore_case else self.code: code})

    def _of_system(self, system: str) -> Q:
        if self.system_column:
            return Q(**{self.system_column: system})
        return EVERYTHING if system == self.system else NOTHING

    def present(self) -> Q:
        return Q(**{f"{self.code}__isnull": False}) & ~Q(**{self.code: ""})

    def order(self) -> list[Any]:
        return [F(self.code)] if self.within is None else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Telecom(SearchParameter):
    """A ContactPoint: `columns` by its system."""

    kind = "token"
    modifiers = frozenset({"missing", "not"})
    columns: Mapping[str, str]

    def one(self, value: str, modifier: str, context: Context) -> Q:
        wanted = values.token(value)
        columns = [column for system, column in self.columns.items() if wanted.system in (None, system)]
        named = {"iexact": wanted.code} if wanted.code else {"gt": ""}
        return reduce(or_, (Q(**{f"{c}__{lookup}": v}) for c in columns for lookup, v in named.items()), NOTHING)

    def present(self) -> Q:
        return reduce(or_, (Q(**{f"{column}__gt": ""}) for column in self.columns.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(SearchParameter):
    """A token that all rows have, because it is not theirs to choose: `active`, or a status."""

    kind = "token"
    modifiers = frozenset({"missing", "not"})
    code: str
    system: str = ""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        wanted = values.token(value)
        fits = wanted.system in (None, self.system) and wanted.code in ("", self.code)
        return EVERYTHING if fits else NOTHING

    def present(self) -> Q:
        return EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Id(SearchParameter):
    """`_id`."""

    kind = "token"
    modifiers = frozenset({"missing", "not"})

    def condition(self, given: Iterable[str], modifier: str, context: Context) -> Q:
        if modifier == "missing":
            return NOTHING if is_true(list(given)) else EVERYTHING
        given = list(given)
        if modifier == "not":
            return ~context.type_.has_id(given)
        context.type_.check_named(context.principal, given)
        return context.type_.has_id(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(SearchParameter):
    """An element that no row here has: known, so that it is no unknown parameter, and it finds nothing."""

    kind = "token"
    modifiers = frozenset({"missing", "not", "below", "above", "text"})

    def one(self, value: str, modifier: str, context: Context) -> Q:
        return NOTHING

    def present(self) -> Q:
        return NOTHING


class AbsentReference(Absent):
    kind = "reference"


class AbsentUri(Absent):
    kind = "uri"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(SearchParameter):
    """Codings in an element of `meta`, as they were sent."""

    kind = "token"
    modifiers = frozenset({"missing", "not"})
    element: str

    def one(self, value: str, modifier: str, context: Context) -> Q:
        wanted = values.token(value)
        coding = {"system": wanted.system, "code": wanted.code}
        return _meta_has(self.element, [{name: text for name, text in coding.items() if text}])

    def present(self) -> Q:
        return _meta_has(self.element, [{}])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles(SearchParameter):
    """`meta.profile`, as it was sent."""

    kind = "reference"
    modifiers = frozenset({"missing"})

    def one(self, value: str, modifier: str, context: Context) -> Q:
        return _meta_has("profile", [values.unescape(value)])

    def present(self) -> Q:
        return _meta_has("profile", [])


def _meta_has(element: str, items: list[Any]) -> Q:
    """Asked of the column as a whole, which is false, not null, where there is no such element."""
    return Q(fhir_extra__contains={"meta": {element: items}})
