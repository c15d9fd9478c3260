"""Reading one resource as it is now (FHIR R5 http.html#read), for the doors' views and for entries of a Bundle."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils.http import http_date

from core.fhir.history import check_not_gone
from core.fhir.registry import type_named
from core.fhir.resource import ResourceType
from core.fhir.search.subset import Subset
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from core.policy.scopes import check_scope

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Read:
    type_: ResourceType
    row: Any
    resource: Any
    patient_ids: list[int]

    @property
    def headers(self) -> dict[str, str]:
        """ETag and Last-Modified (FHIR R5 http.html#versioning)."""
        return {"ETag": f'W/"{self.type_.version_of(self.row)}"', "Last-Modified": self._last_modified}

    @property
    def _last_modified(self) -> str:
        return http_date(self.type_.updated_at(self.row).timestamp())


def read(principal: Principal, type_name: str, id_: str, subset: Subset) -> Read:
    """Raises NotVisible, and InsufficientScope."""
    type_ = type_named(type_name)
    check_scope(principal, type_.name, "r")
    row = _found(principal, type_, id_)
    [resource] = type_.render([row], principal)
    return Read(type_, row, subset.of(type_.name, resource), list(type_.patient_ids(row)))


def _found(principal: Principal, type_: ResourceType, id_: str) -> Any:
    """The row. Raises NotVisible, or Gone for what the caller could read before it was deleted."""
    try:
        return type_.get(principal, id_)
    except NotVisible:
        check_not_gone(principal, type_, id_)
        raise


def is_known(found: Read, *, if_none_match: str, if_modified_since: str) -> bool:
    """Whether the sender has this already: 304 (RFC 9110 §13.1.2 and §13.1.3; the former wins)."""
    if not found.type_.same_for_everybody:
        return False
    if if_none_match:
        version = str(found.type_.version_of(found.row))
        return if_none_match.strip() == "*" or version in _TAG.findall(if_none_match)
    if not if_modified_since:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except ValueError:
        return False
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    updated: datetime = found.type_.updated_at(found.row)
    return updated - timedelta(seconds=1) < since  # HTTP dates have no smaller unit
