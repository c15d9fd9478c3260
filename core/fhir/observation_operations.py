"""`Observation/$lastn` and `Observation/$stats` (FHIR R5 observation.html#operations), of what the caller may read."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from core.fhir.elements import coded
from core.fhir.errors import InvalidResource, Issue, Resource
from core.fhir.observation_search import which_of
from core.fhir.registry import TYPES
from core.fhir.search.bundle import entry, link, searchset
from core.fhir.search.query import parse
from core.fhir.views import Searches
from core.models.observation_pages import Statistics, Which, last, statistics
from core.open_mhealth.kinds import UCUM, UNITS
from core.policy.principal import Principal

MOST = 1_000
"""Observations in one answer of $lastn."""
_MOST_HOURS = 87_600
"""Ten years, for $stats to look back."""
_SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-statistics"
_Figure = Callable[[Statistics], float | None]

_NO_PARAMETER = "There is no such parameter: $stats takes subject, code or coding, system, duration, date, statistic."


def _percentile(place: int) -> _Figure:
    return lambda found: found.percentiles[place] if found.percentiles else None


STATISTICS: Mapping[str, tuple[str, _Figure]] = {
    "20-percent": ("20th Percentile", _percentile(0)),
    "4-lower": ("Lower Quartile", _percentile(1)),
    "4-upper": ("Upper Quartile", _percentile(3)),
    "80-percent": ("80th Percentile", _percentile(4)),
    "average": ("Average", lambda found: found.average),
    "count": ("Count", lambda found: found.count),
    "maximum": ("Maximum", lambda found: found.maximum),
    "median": ("Median", _percentile(2)),
    "minimum": ("Minimum", lambda found: found.minimum),
    "std-dev": ("Standard Deviation", lambda found: found.std_dev),
    "sum": ("Sum", lambda found: found.sum),
    "total-count": ("Total Count", lambda found: found.total_count),
    "variance": ("Variance", lambda found: found.variance),
}
"""Of http://hl7.org/fhir/observation-statistics, those that are computed here."""
_COUNTS = ("count", "total-count")


class LastView(Searches):
    """`Observation/$lastn`: the last `max` (1) of each code, for the parameters of a search."""

    interactions = {"GET": "$lastn", "HEAD": "$lastn", "POST": "$lastn"}

    def get(self, request: Request, type_name: str) -> Response:
        self.require_scope("Observation", "s")
        criteria = [(name, value) for name, value in self.parameters if name != "max"]
        most = [value for name, value in self.parameters if name == "max"] or ["1"]
        if not (most[-1].isascii() and most[-1].isdecimal() and 0 < int(most[-1][:9]) <= MOST):
            raise _refusal("max", f"max must be a whole number from 1 to {MOST}.")
        rows = last(self.principal, _which(self.principal, criteria), per_kind=int(most[-1]), limit=MOST)
        type_ = TYPES["Observation"]
        resources = type_.render(rows, self.principal)
        self.touched({row.patient_id for row in rows})
        entries = [entry(type_.url_of(row), shown, "match") for row, shown in zip(rows, resources, strict=True)]
        bundle = searchset([link("self", "Observation/$lastn", self.parameters)], entries, len(entries))
        if self.asked_for_fhir and not entries:
            del bundle["entry"]
        return Response(bundle)

    post = get


class StatsView(Searches):
    """`Observation/$stats`: figures of the numbers of one subject, an Observation per code and unit."""

    interactions = {"GET": "$stats", "HEAD": "$stats", "POST": "$stats"}

    def get(self, request: Request, type_name: str) -> Response:
        self.require_scope("Observation", "s")
        wanted = _wanted([value for name, value in self.parameters if name == "statistic"])
        criteria = _criteria([(name, value) for name, value in self.parameters if name != "statistic"])
        subject = dict(criteria)["subject"].rpartition("/")[2]
        found = statistics(self.principal, _which(self.principal, criteria))
        if found:
            self.touched([int(subject)])
        shown = [{"name": "statistics", "resource": _observation(each, wanted, subject)} for each in found]
        return Response({"resourceType": "Parameters", **({"parameter": shown} if shown else {})})

    post = get


def _which(principal: Principal, criteria: list[tuple[str, str]]) -> Which:
    asked = which_of(parse(TYPES["Observation"], TYPES, principal, criteria, strict=True))
    if asked is None:
        raise _refusal("", "This operation is asked by patient, code, date, status, device and what reaches a study.")
    return asked[0]


def _wanted(given: list[str]) -> list[str]:
    names = [name for value in given for name in value.split(",")]
    if not names or not set(names) <= STATISTICS.keys():
        raise _refusal("statistic", f"statistic must be one or more of {', '.join(STATISTICS)}.")
    return names


def _criteria(given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The parameters of the operation as those of a search; `date` narrows too."""
    systems = [value for name, value in given if name == "system"]
    criteria: list[tuple[str, str]] = []
    for name, value in given:
        match name:
            case "subject" | "date":
                criteria.append((name, value))
            case "code":
                criteria.append(("code", f"{systems[0]}|{value}" if systems else value))
            case "coding":
                criteria.append(("code", value))
            case "duration":
                criteria.append(("date", f"ge{_hours_ago(value).isoformat().replace('+00:00', 'Z')}"))
            case "system":
                pass
            case _:
                raise _refusal(name[:64], _NO_PARAMETER)
    for needed in ("subject", "code"):
        if needed not in dict(criteria):
            raise _refusal(needed, f"{needed} is missing: say whose numbers, and of which kind.")
    return criteria


def _hours_ago(text: str) -> datetime:
    try:
        hours = float(text)
    except ValueError:
        hours = 0
    if not 0 < hours <= _MOST_HOURS:
        raise _refusal("duration", f"duration is a number of hours up to {_MOST_HOURS}.")
    return datetime.now(UTC) - timedelta(hours=hours)


def _observation(found: Statistics, wanted: list[str], subject: str) -> Resource:
    figures = [(name, STATISTICS[name][1](found)) for name in wanted]
    components = [_component(name, figure, found.unit) for name, figure in figures if figure is not None]
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(found.coding_system, found.coding_code, found.code_text),
        "subject": {"reference": f"Patient/{subject}"},
        "effectivePeriod": {"start": found.first.isoformat(), "end": found.last.isoformat()},
        **({"component": components} if components else {}),
    }


def _component(name: str, figure: float, unit: str) -> Resource:
    quantity: dict[str, Any] = {"value": figure}
    if name not in _COUNTS and unit:
        quantity["unit"] = unit
        if unit in UNITS and name != "variance":
            quantity |= {"system": UCUM, "code": UNITS[unit]}
    return {"code": coded(_SYSTEM, name, STATISTICS[name][0]), "valueQuantity": quantity}


def _refusal(place: str, sentence: str) -> InvalidResource:
    return InvalidResource(Issue("value", sentence, place))
