"""Changes on condition: the resource is named by a query instead of an id (FHIR R5 http.html#ccreate, #cond-update).

Two senders at once do not both find nothing: they take turns (core/fhir/turns.py).
"""

from typing import Any

from django.db import transaction

from core.fhir.errors import PreconditionFailed
from core.fhir.resource import ResourceType
from core.fhir.search.matching import matching_ids
from core.fhir.turns import take_turns
from core.fhir.writing import Changed, create, delete, patch, update, writer_of
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from core.policy.scopes import check_scope


@transaction.atomic
def create_unless(principal: Principal, type_name: str, resource: Any, query: str, *, at: str = "") -> Changed:
    """Conditional create: what matches already is the answer, 200; several matches refuse it (http.html#ccreate)."""
    type_, _ = writer_of(type_name, "create")
    check_scope(principal, type_.name, "c")
    if (id_ := _only_match(principal, type_, query)) is not None:
        return Changed(200, type_, type_.get(principal, id_))
    return create(principal, type_name, resource, at=at)


@transaction.atomic
def update_matching(
    principal: Principal, type_name: str, query: str, resource: Any, *, if_match: str = "", at: str = ""
) -> Changed:
    """Conditional update: of the one match, or a create where there is none (http.html#cond-update)."""
    type_, _ = writer_of(type_name, "update")
    check_scope(principal, type_.name, "u")
    id_ = _only_match(principal, type_, query)
    if id_ is None:
        return create(principal, type_name, resource, at=at)
    if isinstance(resource, dict):
        resource = {"id": id_, **resource}
    return update(principal, type_name, id_, resource, if_match=if_match, at=at)


@transaction.atomic
def patch_matching(principal: Principal, type_name: str, query: str, operations: Any, *, if_match: str = "") -> Changed:
    """Conditional patch, of the one match (http.html#patch). Raises NotVisible for none."""
    type_, _ = writer_of(type_name, "update")
    check_scope(principal, type_.name, "u")
    return patch(principal, type_name, _match(principal, type_, query), operations, if_match=if_match)


@transaction.atomic
def delete_matching(principal: Principal, type_name: str, query: str, *, if_match: str = "") -> Changed:
    """Conditional delete, of the one match (http.html#cdelete). Raises NotVisible for none."""
    type_, _ = writer_of(type_name, "delete")
    check_scope(principal, type_.name, "d")
    return delete(principal, type_name, _match(principal, type_, query), if_match=if_match)


def _match(principal: Principal, type_: ResourceType, query: str) -> str:
    id_ = _only_match(principal, type_, query)
    if id_ is None:
        raise NotVisible(f"No {type_.name} that you can see matches the query.")
    return id_


def _only_match(principal: Principal, type_: ResourceType, query: str) -> str | None:
    """The id of the one match, None for none. Raises PreconditionFailed for several, and InvalidResource for a query
    that names nothing, so that it could match anything."""
    take_turns([type_.name])
    ids = matching_ids(principal, type_, query, limit=2)
    if len(ids) > 1:
        raise PreconditionFailed(f"Several {type_.name} resources match the query: name the one by its id.")
    return ids[0] if ids else None
