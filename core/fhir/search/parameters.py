"""The kinds of search parameters (FHIR R5 search.html#ptypes): what a value means, as a condition on rows.

A parameter names columns of its type's rows; or, with `within`, of rows of which each of these has several.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import CharField, F, Q, QuerySet, TextField, Transform, Value
from django.db.models.functions import Coalesce

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
            is_missing = _boolean(list(given))
            present = self.lifted(self.present(), context)
            return ~present if is_missing else present
        plain = "" if modifier == "not" else modifier
        found = reduce(or_, (self.one(value, plain, context) for value in given), NOTHING)
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
class Date(SearchParameter):
    """search.html#date. With `end` rows hold from one moment to another; without a value there it is the one moment."""

    kind = "date"
    modifiers = frozenset({"missing"})
    start: str
    end: str = ""

    def one(self, value: str, modifier: str, context: Context) -> Q:
        prefix, rest = values.prefixed(value)
        wanted = values.moments(rest)
        begins_in = self._start(gte=wanted.start)
        match prefix:
            case "eq":
                return begins_in & self._ends_before(wanted.end)
            case "ne":
                return self.present() & ~(begins_in & self._ends_before(wanted.end))
            case "gt":
                return self._lasts_until(wanted.end)
            case "ge":
                return self._lasts_until(wanted.start)
            case "lt":
                return self._start(lt=wanted.start)
            case "le":
                return self._start(lt=wanted.end)
            case "sa":
                return self._start(gte=wanted.end)
            case "eb":
                return self._ends_before(wanted.start)
        about = wanted.about(datetime.now(UTC))
        return self._start(lt=about.end) & self._lasts_until(about.start)

    def _start(self, **compared: datetime) -> Q:
        return Q(**{f"{self.start}__{lookup}": moment for lookup, moment in compared.items()})

    def _lasts_until(self, moment: datetime) -> Q:
        begun_later = self._start(gte=moment)
        return begun_later | Q(**{f"{self.end}__gte": moment}) if self.end else begun_later

    def _ends_before(self, moment: datetime) -> Q:
        begun_before = self._start(lt=moment)
        if not self.end:
            return begun_before
        return begun_before & (Q(**{f"{self.end}__lt": moment}) | Q(**{f"{self.end}__isnull": True}))

    def present(self) -> Q:
        return Q(**{f"{self.start}__isnull": False})

    def order(self) -> list[Any]:
        return [F(self.start)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Date):
    """A column without a time: it holds from midnight to midnight, UTC."""

    def _start(self, **compared: datetime) -> Q:
        """A day begins before a moment within it, not before its own midnight."""
        return Q(**{f"{self.start}__{lookup}": _first_day_from(moment) for lookup, moment in compared.items()})

    def _lasts_until(self, moment: datetime) -> Q:
        return Q(**{f"{self.start}__gte": moment.date()})

    def _ends_before(self, moment: datetime) -> Q:
        return Q(**{f"{self.start}__lt": moment.date()})

    def order(self) -> list[Any]:
        return [Coalesce(F(self.start), Value(date.max))]  # what nobody knows comes last


def _first_day_from(moment: datetime) -> date:
    is_midnight = moment.timetz() == time(tzinfo=UTC)
    return moment.date() if is_midnight or moment.date() == date.max else moment.date() + timedelta(days=1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(SearchParameter):
    """An element that no row here has: known, so that it is no unknown parameter, and it finds nothing."""

    kind = "token"
    modifiers = frozenset({"missing", "not", "below", "above", "text"})

    def one(self, value: str, modifier: str, context: Context) -> Q:
        return NOTHING

    def present(self) -> Q:
        return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Id(SearchParameter):
    """`_id`."""

    kind = "token"
    modifiers = frozenset({"missing", "not"})

    def condition(self, given: Iterable[str], modifier: str, context: Context) -> Q:
        if modifier == "missing":
            return NOTHING if _boolean(list(given)) else EVERYTHING
        found = context.type_.has_id(given)
        return ~found if modifier == "not" else found


def malformed(name: str, sentence: str) -> InvalidResource:
    return InvalidResource(Issue("value", f"Search parameter {name}: {sentence}", name))


def _boolean(given: list[str]) -> bool:
    if given not in (["true"], ["false"]):
        raise ValueError("with :missing must be true or false.")
    return given == ["true"]
