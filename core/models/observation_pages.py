"""Observations a page at a time, for every door that lists them: rights first, then along the index, in one statement.

A page costs the same wherever it is, because the next one begins after the last row's `Cursor`; rights are looked up
for each page anew. `core/sql/observations_*.sql` is the SQL, `core/sql/observation_page_v1.sql` what they share.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self

from django.db import connection

from core.policy.errors import InvalidInput
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_for
from core.policy.views import for_caller
from core.sql import statement


class Order(StrEnum):
    """By when it began to hold (`effective_start`), or by when it last changed (`last_updated`); then by id."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LAST_CHANGED = "last_changed"
    FIRST_CHANGED = "first_changed"


_PAGES = {order: statement(f"observations_{order}") for order in Order}
_COUNT = statement("observations_count")
_LAST = statement("observations_lastn")
_NAMED = statement("observations_named")
_STATISTICS = statement("observations_stats")


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which observations, of those that the caller may read; None does not narrow, an empty list finds nothing.

    Ids are those of our rows (`codes`: CodeableConcept). `studies` finds what reaches the caller through one of them,
    `organizations` what is of a patient who belongs to one of them. What `lasts_until` a moment has not ended before
    it: `starts_before` and `lasts_until` together find what overlaps a range. Ranges leave out their end.
    """

    patients: Sequence[int] | None = None
    studies: Sequence[int] | None = None
    organizations: Sequence[int] | None = None
    codes: Sequence[int] | None = None
    ids: Sequence[int] | None = None
    data_sources: Sequence[int] | None = None
    statuses: Sequence[str] | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
    lasts_until: datetime | None = None
    ends_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None


class Cursor(NamedTuple):
    """A place between two rows, which stands while rows come and go."""

    time: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.time.isoformat()}_{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidInput for what `str` of a cursor has not made."""
        time, _, id_ = text.rpartition("_")
        try:
            moment, number = datetime.fromisoformat(time), int(id_)
        except ValueError:
            raise InvalidInput("The cursor is none of this exchange's: follow the link to the next page.") from None
        if moment.tzinfo is None or not 0 <= number < 2**63:
            raise InvalidInput("The cursor is none of this exchange's: follow the link to the next page.")
        return cls(moment, number)


class Row(NamedTuple):
    """An observation as the view `observation_row` gives it. `data_point`, `fhir_extra`,
    `identifiers` and `patient_identifier` (the patient's first) are JSON, as text."""

    id: int
    patient_id: int
    data_source_id: int | None
    status: str
    effective_start: datetime
    effective_end: datetime | None
    utc_offset_minutes: int | None
    value_quantity: float | None
    value_unit: str
    data_point: str
    fhir_extra: str | None
    ingest_id: int | None
    version_id: int
    last_updated: datetime
    code_id: int
    coding_system: str
    coding_code: str
    code_text: str
    identifiers: str | None
    patient_identifier: str | None

    def cursor(self, order: Order) -> Cursor:
        """The place right after this row."""
        by_change = order in (Order.LAST_CHANGED, Order.FIRST_CHANGED)
        return Cursor(self.last_updated if by_change else self.effective_start, self.id)


def page(
    principal: Principal,
    which: Which,
    *,
    limit: int,
    order: Order = Order.NEWEST,
    after: Cursor | None = None,
    permission: Permission = Permission.OBSERVATION_READ,
) -> list[Row]:
    """At most `limit` rows, those after `after`. Fewer than `limit` rows means that nothing follows."""
    given = {
        **_narrowing(principal, which, permission),
        "after_time": after and after.time,
        "after_id": after and after.id,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_PAGES[order], principal), given)
        return [Row._make(row) for row in cursor.fetchall()]


def count(principal: Principal, which: Which) -> int:
    """All of them are looked at: some milliseconds per 10,000, so only where somebody asked for it."""
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_COUNT, principal), _narrowing(principal, which, Permission.OBSERVATION_READ))
        return int(cursor.fetchone()[0])


def last(principal: Principal, which: Which, *, per_kind: int, limit: int) -> list[Row]:
    """The newest `per_kind` of each kind of each patient, `limit` in all: by patient, kind, then the newest first."""
    given = {**_narrowing(principal, which, Permission.OBSERVATION_READ), "per_kind": per_kind, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_LAST, principal), given)
        return [Row._make(row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the numbers of one kind in one unit. `total_count` also counts what has no number; without any number the
    rest is None. `percentiles` are the 20th, 25th, 50th, 75th and 80th."""

    coding_system: str
    coding_code: str
    code_text: str
    unit: str
    total_count: int
    count: int
    first: datetime
    last: datetime
    average: float | None
    minimum: float | None
    maximum: float | None
    sum: float | None
    std_dev: float | None
    variance: float | None
    percentiles: list[float] | None


def statistics(principal: Principal, which: Which) -> list[Statistics]:
    """By kind and unit; of the sample, where that matters (`std_dev`, `variance`: None of a single number)."""
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_STATISTICS, principal), _narrowing(principal, which, Permission.OBSERVATION_READ))
        return [Statistics(*row) for row in cursor.fetchall()]


def ids_named(principal: Principal, which: Which, identifiers: Iterable[tuple[str | None, str]]) -> list[int]:
    """The ids of the caller's readable observations that have one of these identifiers, (system, value).

    A system of None is any; the empty system is an identifier without one (FHIR R5 search.html#token). Of `which`,
    patients, studies, organizations and codes narrow.
    """
    pairs = list(identifiers)
    given = {
        **_narrowing(principal, which, Permission.OBSERVATION_READ),
        "systems": [system for system, _ in pairs],
        "values": [value for _, value in pairs],
    }
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_NAMED, principal), given)
        return [id_ for (id_,) in cursor.fetchall()]


def _narrowing(principal: Principal, which: Which, permission: Permission) -> dict[str, Any]:
    return {
        "user_id": principal.caller_id,
        "roles": roles_for(principal, permission),
        **{name: getattr(which, name) for name in Which.__slots__},
    }
