"""Searches for observations that have a statement of their own (core/models/observation_pages.py), along an index.

Each parameter narrows a `Which`; one that cannot is left to the search that every type has. The values have been
checked by the time they come here (core/fhir/search/query.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from core.fhir.search import values
from core.fhir.search.query import Page, Search
from core.fhir.search.references import spelled
from core.models import CodeableConcept, PatientOrganization
from core.models.observation_pages import Cursor, Order, Which, ids_named, page
from core.policy.principal import Principal

STUDY_CHAINS = frozenset(
    f"{subject}._has:{group}:member:_id" for subject in ("patient", "subject") for group in ("Group", "_group")
)
_ORDERS = {
    "date": Order.OLDEST,
    "-date": Order.NEWEST,
    "_lastUpdated": Order.FIRST_CHANGED,
    "-_lastUpdated": Order.LAST_CHANGED,
}


class _Other(Exception):  # noqa: N818 - not a fault: the search goes the other way
    pass


def which_of(search: Search) -> tuple[Which, Order] | None:
    """The search as a statement of its own, or None."""
    order = _ORDERS.get(search.controls.sort)
    if order is None or len(search.criteria) != len(search.conditions):
        return None
    which = Which()
    try:
        for name, value in search.criteria:
            which = _NARROWING[name](which, values.split(value, ","), search.context.principal)
    except (KeyError, _Other):
        return None
    return which, order


def page_of(search: Search, which: Which, order: Order) -> Page:
    count = search.controls.count
    after = search.after
    rows = page(
        search.context.principal,
        which,
        order=order,
        limit=count + 1,
        after=Cursor(datetime.fromisoformat(after[0]), after[1]) if after else None,
    )
    shown = rows[:count]
    return Page([*shown], [*shown[-1].cursor(order)] if len(rows) > count else None)


def _both(before: Sequence[Any] | None, given: Sequence[Any]) -> list[Any]:
    """A parameter that comes again narrows further (search.html#combining)."""
    return [value for value in given if before is None or value in before]


def _ids(type_name: str, field: str) -> Callable[[Which, list[str], Principal], Which]:
    def narrow(which: Which, given: list[str], _: Principal) -> Which:
        named = [spelled(values.unescape(value)) for value in given]
        ids = [int(id_) for kind, id_ in named if kind in ("", type_name) and _is_id(id_)]
        return _with(which, field, _both(getattr(which, field), ids))

    return narrow


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text == str(int(text[:20])) and int(text) < 2**63


def _organizations(which: Which, given: list[str], principal: Principal) -> Which:
    """Those whose patients the caller may know to be theirs."""
    ids = [int(id_) for id_ in given if _is_id(id_)]
    links = PatientOrganization.objects.visible_to(principal).filter(organization__in=ids)
    known = links.order_by().values_list("organization_id", flat=True).distinct()
    if which.organizations is not None:
        raise _Other
    return replace(which, organizations=[*known])


def _codes(which: Which, given: list[str], _: Principal) -> Which:
    wanted = [values.token(value) for value in given]
    ids = [
        code.pk
        for code in CodeableConcept.objects.all()
        if any(code.is_named(token.system, token.code or code.coding_code) for token in wanted)
    ]
    return replace(which, codes=_both(which.codes, ids))


def _statuses(which: Which, given: list[str], _: Principal) -> Which:
    tokens = [values.token(value) for value in given]
    if any(token.system for token in tokens):
        raise _Other
    return replace(which, statuses=_both(which.statuses, [token.code for token in tokens]))


def _named(which: Which, given: list[str], principal: Principal) -> Which:
    tokens = [values.token(value) for value in given]
    if not all(token.code for token in tokens):
        raise _Other
    found = ids_named(principal, which, [(token.system, token.code) for token in tokens])
    return replace(which, ids=_both(which.ids, found))


def _date(which: Which, given: list[str], _: Principal) -> Which:
    prefix, wanted = _range(given)
    match prefix:
        case "eq":
            return _later(_earlier(which, "ends_before", wanted.end), "starts_from", wanted.start)
        case "ge":
            return _later(which, "lasts_until", wanted.start)
        case "gt":
            return _later(which, "lasts_until", wanted.end)
        case "lt":
            return _earlier(which, "starts_before", wanted.start)
        case "le":
            return _earlier(which, "starts_before", wanted.end)
        case "sa":
            return _later(which, "starts_from", wanted.end)
        case "eb":
            return _earlier(which, "ends_before", wanted.start)
        case "ap":
            about = wanted.about(datetime.now(UTC))
            return _later(_earlier(which, "starts_before", about.end), "lasts_until", about.start)
    raise _Other


def _last_updated(which: Which, given: list[str], _: Principal) -> Which:
    prefix, wanted = _range(given)
    match prefix:
        case "eq":
            return _later(_earlier(which, "updated_before", wanted.end), "updated_from", wanted.start)
        case "ge":
            return _later(which, "updated_from", wanted.start)
        case "gt" | "sa":
            return _later(which, "updated_from", wanted.end)
        case "lt" | "eb":
            return _earlier(which, "updated_before", wanted.start)
        case "le":
            return _earlier(which, "updated_before", wanted.end)
    raise _Other


def _range(given: list[str]) -> tuple[str, values.Range]:
    if len(given) > 1:
        raise _Other
    prefix, rest = values.prefixed(given[0])
    return prefix, values.moments(rest)


def _later(which: Which, field: str, moment: datetime) -> Which:
    before = getattr(which, field)
    return _with(which, field, moment if before is None else max(before, moment))


def _earlier(which: Which, field: str, moment: datetime) -> Which:
    before = getattr(which, field)
    return _with(which, field, moment if before is None else min(before, moment))


def _with(which: Which, field: str, value: Any) -> Which:
    return replace(which, **{field: value})


_NARROWING: dict[str, Callable[[Which, list[str], Principal], Which]] = {
    "_id": _ids("Observation", "ids"),
    "_lastUpdated": _last_updated,
    "code": _codes,
    "date": _date,
    "device": _ids("Device", "data_sources"),
    "device:Device": _ids("Device", "data_sources"),
    "identifier": _named,
    "patient": _ids("Patient", "patients"),
    "patient.organization": _organizations,
    "patient:Patient": _ids("Patient", "patients"),
    "patient:Patient.organization": _organizations,
    "status": _statuses,
    "subject": _ids("Patient", "patients"),
    "subject.organization": _organizations,
    "subject:Patient": _ids("Patient", "patients"),
    **{name: _ids("Group", "studies") for name in STUDY_CHAINS},
}
