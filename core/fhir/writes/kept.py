"""What a resource says beyond our columns is kept as it was sent, so that it comes back (`fhir_extra`).

Per type, because a Study has two faces: `{"ResearchStudy": {"kept": {…}, "sent": {…}}}`. `kept` are elements that no
column feeds. `sent` are those that one feeds, in the sender's words, beside what we had made of them ourselves (`was`):
they stand for as long as the columns say what they said then.
"""

import operator
from collections.abc import Callable
from copy import copy
from typing import Any

from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.resource import ResourceType
from core.policy.principal import Principal

MAX_NUMBER = 2**63 - 1
"""PostgreSQL gives back 1e30 as an integer, and JSON is written here with integers of 64 bits."""

_OURS = ("resourceType", "id", "meta")
_META_OF_OURS = ("versionId", "lastUpdated", "source")


def keep(principal: Principal, type_: ResourceType, id_: str, resource: Resource) -> None:
    """Keep what the action that just wrote this row could not.

    Raises Unprocessable, naming each element, where a type has no place for it; nothing is written then.
    """
    row = type_.get(principal, id_)
    has_place = hasattr(row, "fhir_extra")
    extra = _extra(type_, row, principal, resource, operator.eq if has_place else _is_said)
    if not has_place:
        if extra:
            names = sorted({*extra.get("kept", ()), *extra.get("sent", ())})
            raise Unprocessable(*(_no_place(type_.name, name) for name in names))
    elif row.fhir_extra.get(type_.name, {}) != extra:
        row.fhir_extra = {**row.fhir_extra, type_.name: extra}
        row.save(update_fields=["fhir_extra"])


def _extra(
    type_: ResourceType,
    row: Any,
    principal: Principal,
    resource: Resource,
    is_said: Callable[[Any, Any], bool],
) -> Resource:
    ours = {*_OURS, *type_.computed}
    plain = copy(row)
    plain.fhir_extra = {}
    [mapped] = type_.render([plain], principal)
    kept = {name: value for name, value in resource.items() if name not in mapped and name not in ours}
    sent = {
        name: {"was": mapped[name], "sent": value}
        for name, value in resource.items()
        if name in mapped and name not in ours and not is_said(value, mapped[name])
    }
    check_numbers({**kept, **sent}, type_.name)
    if meta := {name: value for name, value in resource.get("meta", {}).items() if name not in _META_OF_OURS}:
        kept["meta"] = meta
    return {**({"kept": kept} if kept else {}), **({"sent": sent} if sent else {})}


def check_numbers(elements: Resource, at: str) -> None:
    """Raises Unprocessable for an element with a number that could be kept and not be read again."""
    for name, value in elements.items():
        if _is_large(value):
            place = f"{at}.{name}"
            raise Unprocessable(
                Issue("value", f"{place} holds a larger number than is kept here, {MAX_NUMBER}.", place)
            )


def _is_large(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_large, value.values()))
    if isinstance(value, list):
        return any(map(_is_large, value))
    return isinstance(value, int | float) and abs(value) > MAX_NUMBER


def _is_said(sent: Any, mapped: Any) -> bool:
    """Whether `mapped` says all of `sent`; it may say more, such as the display of a code."""
    if isinstance(sent, dict) and isinstance(mapped, dict):
        return all(name in mapped and _is_said(value, mapped[name]) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(mapped, list):
        return len(sent) == len(mapped) and all(map(_is_said, sent, mapped))
    return bool(sent == mapped)


def _no_place(type_name: str, element: str) -> Issue:
    place = f"{type_name}.{element}"
    return Issue("not-supported", f"{place} says what is not kept here: leave it out, or say what a read says.", place)
