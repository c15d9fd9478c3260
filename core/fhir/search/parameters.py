"""What a search parameter is (FHIR R5 search.html#ptypes): the meaning of a value, as a condition on rows.

Here are the common part and the kinds of text and numbers; tokens.py, dates.py and references.py have the others.
A parameter names columns of its type's rows; or, with `within`, of rows of which each of these has several.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import CharField, F, Q, QuerySet, TextField, Transform

from core.fhir.errors import InvalidResource, Issue
from core.fhir.search import values
from core.policy.principal import Principal

if TYPE_CHECKING:
    from core.fhir.resource import ResourceType

EVERYTHING = Q(pk__isnull=False)
NOTHING = Q(pk__in=[])


@CharField.register_lookup
@TextField.register_lookup
class Plain(Transform):
    """Text without upper case and accents, on both sides of a comparison."""

    lookup_name = "plain"
    bilateral = True
    template = r"lower(regexp_replace(normalize(%(expressions)s, NFKD), '[\u0300-\u036f]', '', 'g'))"


@dataclass(frozen=True, slots=True)
class Context:
    """Who searches for what. `depth` counts the chains between the search and this condition."""

    principal: Principal
    type_: "ResourceType"
    types: "Mapping[str, ResourceType]"
    depth: int = 0

    def of(self, type_: "ResourceType") -> "Context":
        return replace(self, type_=type_, depth=self.depth + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Rows that belong to those searched for: the ones that this person may know of, and the column that says whose
    they are."""

    rows: Callable[[Principal], QuerySet[Any]]
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """`definition` is the id of the standard's SearchParameter."""

    kind: ClassVar[str]
    modifiers: ClassVar[frozenset[str]] = frozenset()
    definition: str
    documentation: str = ""
    within: Within | None = None

    def condition(self, given: Iterable[str], modifier: str, context: Context) -> Q:
        """The rows that fit one of the values (a comma is OR). Raises ValueError with a sentence."""
        if modifier == "missing":
            is_missing = is_true(list(given))
            present = self.lifted(self.present(), context)
            return ~present if is_missing else present
        plain = "" if modifier == "not" else modifier
        # In one step: joined one by one, a thousand values would be copied a thousand times.
        found = Q(*(self.one(value, plain, context) for value in given), _connector=Q.OR)
        lifted = self.lifted(found, context)
        return ~lifted if modifier == "not" else lifted

    def lifted(self, condition: Q, context: Context) -> Q:
        """A condition on the rows within, as one on the rows that they belong to."""
        if self.within is None:
            return condition
        rows = self.within.rows(context.principal).order_by()
        return Q(pk__in=rows.filter(condition).values(self.within.owner))

    def one(self, value: str, modifier: str, context: Context) -> Q:
        raise NotImplementedError

    def present(self) -> Q:
        """Where there is a value at all."""
        raise NotImplementedError

    def order(self) -> list[Any]:
        """What rows are sorted by, never null; empty where they cannot be sorted by it."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class String(SearchParameter):
    """search.html#string: what one of the columns begins with, without regard to case and accents."""

    kind = "string"
    modifiers = frozenset({"missing", "exact", "contains"})
    columns: tuple[str, ...]

    def one(self, value: str, modifier: str, context: Context) -> Q:
        lookup = {"": "plain__startswith", "contains": "plain__contains", "exact": "exact"}[modifier]
        text = values.unescape(value)
        return reduce(or_, (Q(**{f"{column}__{lookup}": text}) for column in self.columns))

    def present(self) -> Q:
        return reduce(or_, (Q(**{f"{column}__gt": ""}) for column in self.columns))

    def order(self) -> list[Any]:
        return [F(f"{column}__plain") for column in self.columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity(SearchParameter):
    """search.html#quantity: `number`, `number||unit` or `number|system|code`."""

    kind = "quantity"
    modifiers = frozenset({"missing"})
    number: str
    unit: str

    def one(self, value: str, modifier: str, context: Context) -> Q:
        amount, *unit = values.split(value, "|")
        if len(unit) not in (0, 2):
            raise ValueError("must be a number, number||unit or number|system|code.")
        prefix, rest = values.prefixed(amount)
        found = self._compared(prefix, values.number(rest))
        return found & Q(**{self.unit: values.unescape(unit[1])}) if unit and unit[1] else found

    def _compared(self, prefix: str, wanted: values.Number) -> Q:
        low, high = float(wanted.value - wanted.margin), float(wanted.value + wanted.margin)
        exact = float(wanted.value)
        inside = Q(**{f"{self.number}__gte": low, f"{self.number}__lt": high})
        match prefix:
            case "eq":
                return inside
            case "ne":
                return self.present() & ~inside
            case "gt" | "sa":
                return Q(**{f"{self.number}__gt": exact})
            case "lt" | "eb":
                return Q(**{f"{self.number}__lt": exact})
            case "ge":
                return Q(**{f"{self.number}__gte": exact})
            case "le":
                return Q(**{f"{self.number}__lte": exact})
        margin = abs(exact) / 10
        return Q(**{f"{self.number}__gte": exact - margin, f"{self.number}__lte": exact + margin})

    def present(self) -> Q:
        return Q(**{f"{self.number}__isnull": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Uri(SearchParameter):
    """search.html#uri."""

    kind = "uri"
    modifiers = frozenset({"missing", "below"})
    column: str

    def one(self, value: str, modifier: str, context: Context) -> Q:
        return Q(**{f"{self.column}__startswith" if modifier == "below" else self.column: values.unescape(value)})

    def present(self) -> Q:
        return Q(**{f"{self.column}__gt": ""})


def malformed(name: str, sentence: str) -> InvalidResource:
    return InvalidResource(Issue("value", f"Search parameter {name}: {sentence}", name))


def is_true(given: list[str]) -> bool:
    """The value of `:missing`. Raises ValueError."""
    if given not in (["true"], ["false"]):
        raise ValueError("with :missing must be true or false.")
    return given == ["true"]
