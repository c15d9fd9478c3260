"""Dates and times in a search (FHIR R5 search.html#date)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from core.fhir.search import values
from core.fhir.search.parameters import Context, SearchParameter


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
