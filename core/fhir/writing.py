"""Create, update, patch and delete, whether they come alone or as an entry of a Bundle (FHIR R5 http.html).

Every function is one transaction: checks of the token and of the structure, the version that was expected, the action.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.db import DataError, IntegrityError, transaction

from core.fhir.errors import InvalidResource, Issue, NotSupported, PreconditionFailed, Resource, Unprocessable
from core.fhir.patch import patched
from core.fhir.registry import WRITERS, type_named
from core.fhir.resource import ResourceType
from core.fhir.structure import check_structure
from core.fhir.writes.kept import keep
from core.fhir.writes.writer import Known, Writer
from core.models.refusals import sentence_of
from core.policy.errors import Conflict
from core.policy.principal import Principal
from core.policy.scopes import check_scope

_ETAG = re.compile(r'(?:W/)?"(?P<version>[0-9]+)"|(?P<bare>[0-9]+)')


@dataclass(frozen=True, slots=True)
class Changed:
    """`row` is None after a delete. `status`: 201 created, 200 changed or there already, 204 gone."""

    status: int
    type_: ResourceType
    row: Any = None


@contextmanager
def _changing() -> Iterator[None]:
    """One transaction. What the database's own rules are against is a refusal like any other."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(sentence_of(error)) from None
    except DataError:
        raise Unprocessable(Issue("value", "A value is out of the range of what it says.")) from None


@_changing()
def create(principal: Principal, type_name: str, resource: Any, *, at: str = "") -> Changed:
    type_, writer = writer_of(type_name, "create")
    check_scope(principal, type_.name, "c")
    checked = check_structure(resource, type_.name, at=at)
    id_ = writer.create(principal, checked)
    if isinstance(id_, Known):
        return Changed(200, type_, type_.get(_as_sender(principal, type_), id_))
    return Changed(201, type_, _kept(principal, type_, id_, checked))


@_changing()
def update(
    principal: Principal, type_name: str, id_: str, resource: Any, *, if_match: str = "", at: str = ""
) -> Changed:
    """Ids are given by the exchange, so an update never creates (`updateCreate` is false)."""
    type_, writer = writer_of(type_name, "update")
    check_scope(principal, type_.name, "u")
    checked = check_structure(resource, type_.name, at=at)
    if checked.get("id") != id_:
        place = f"{at or type_.name}.id"
        raise InvalidResource(Issue("invalid", f"{place} must be the id of the URL, {id_}.", place))
    row = _locked(principal, type_, id_, if_match)
    writer.update(principal, row, checked)
    return Changed(200, type_, _kept(principal, type_, id_, checked))


@_changing()
def patch(principal: Principal, type_name: str, id_: str, operations: Any, *, if_match: str = "") -> Changed:
    type_, writer = writer_of(type_name, "update")
    check_scope(principal, type_.name, "u")
    row = _locked(principal, type_, id_, if_match)
    [resource] = type_.render([row], principal)
    changed = check_structure(patched(resource, operations), type_.name)
    if changed.get("id") != id_:
        raise InvalidResource(Issue("invalid", f"{type_.name}.id stays {id_}.", f"{type_.name}.id"))
    writer.update(principal, row, changed)
    return Changed(200, type_, _kept(principal, type_, id_, changed))


@_changing()
def delete(principal: Principal, type_name: str, id_: str, *, if_match: str = "") -> Changed:
    type_, writer = writer_of(type_name, "delete")
    check_scope(principal, type_.name, "d")
    writer.delete(principal, _locked(principal, type_, id_, if_match))
    return Changed(204, type_)


def writer_of(type_name: str, interaction: str) -> tuple[ResourceType, Writer]:
    """Raises NotVisible for a type that is not served, and NotSupported for what nobody does with it over FHIR."""
    type_ = type_named(type_name)
    writer = WRITERS.get(type_.name)
    if writer is None or interaction not in writer.interactions:
        instead = writer.instead.get(interaction) if writer else None
        raise NotSupported(f"{type_.name} has no {interaction} over FHIR: {instead or 'see /FHIR/R5/metadata'}.")
    return type_, writer


def _locked(principal: Principal, type_: ResourceType, id_: str, if_match: str) -> Any:
    """The row as it stays until the transaction ends, in the expected version; `*` is any (RFC 9110 §13.1.1)."""
    row = type_.get(principal, id_, lock=True)
    if if_match.strip() not in ("", "*") and expected_version(if_match) != type_.version_of(row):
        raise PreconditionFailed(
            f"{type_.name}/{id_} is in version {type_.version_of(row)} by now: read it again and repeat the change."
        )
    return row


def expected_version(if_match: str) -> int:
    """The version in `If-Match` or `entry.request.ifMatch`: `W/"3"`. Raises InvalidResource for anything else."""
    match = _ETAG.fullmatch(if_match.strip())
    if match is None or len(match[0]) > 24:
        raise InvalidResource(Issue("value", 'If-Match names a version such as W/"3".'))
    return int(match["version"] or match["bare"])


def _kept(principal: Principal, type_: ResourceType, id_: str, resource: Resource) -> Any:
    """The row with what the database made of it: its version, its time; and what was sent beyond its columns."""
    if not WRITERS[type_.name].keeps_extra:
        keep(principal, type_, id_, resource)
    return type_.get(_as_sender(principal, type_), id_)


def _as_sender(principal: Principal, type_: ResourceType) -> Principal:
    """An app that adds a kind of data, and may not read it, is shown what it sent, which may be there already."""
    return replace(principal, narrowing_id=None) if type_.name == "Observation" else principal
