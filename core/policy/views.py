"""The access views (core/sql): two sets of them say who reaches what.

`access_<thing>` answers for every caller: a person, or what a token is narrowed to. `person_<thing>` answers for
persons alone and says the same of them; PostgreSQL plans it in half the time.
"""

import re
from functools import cache

from core.policy.principal import Principal

_FOR_EVERY_CALLER = re.compile(
    r"\b(?:access(?=_(?:organization|study|patient|enrolment|observation|upload)\b)|granted(?=_observations\b))"
)


def for_caller(sql: str, principal: Principal) -> str:
    """A statement over `access_…`, as it is best planned for this caller."""
    return sql if principal.narrowing_id is not None else for_person(sql)


@cache
def for_person(sql: str) -> str:
    """A statement over `access_…`, over `person_…` instead."""
    return _FOR_EVERY_CALLER.sub("person", sql)
