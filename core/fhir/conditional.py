"""Changes on condition: the resource is named by a query instead of an id (FHIR R5 http.html#ccreate, #cond-update).

Two senders of one query, at once, do not both find nothing: they take a lock on the query, one after the other.
"""

from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from django.db import connection, transaction

from core.fhir.errors import PreconditionFailed
from core.fhir.resource import ResourceType
from core.fhir.search.matching import matching_ids
from core.fhir.writing import Changed, create, update, writer_of
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from core.policy.scopes import check_scope

_INTERACTIONS = {"u": "update", "d": "delete"}


def create_unless(principal: Principal, type_name: str, resource: Any, query: str, *, at: str = "") -> Changed:
    """Conditional create: what matches already is the answer, 200; several matches refuse it (http.html#ccreate)."""
    type_, _ = writer_of(type_name, "create")
    check_scope(principal, type_.name, "c")
    with transaction.atomic():
        if (id_ := _only_match(principal, type_, query)) is not None:
            return Changed(200, type_, type_.get(principal, id_))
        return create(principal, type_name, resource, at=at)


def update_matching(
    principal: Principal, type_name: str, query: str, resource: Any, *, if_match: str = "", at: str = ""
) -> Changed:
    """Conditional update: of the one match, or a create where there is none (http.html#cond-update)."""
    type_, _ = writer_of(type_name, "update")
    check_scope(principal, type_.name, "u")
    with transaction.atomic():
        id_ = _only_match(principal, type_, query)
        if id_ is None:
            return create(principal, type_name, resource, at=at)
        if isinstance(resource, dict):
            resource = {"id": id_, **resource}
        return update(principal, type_name, id_, resource, if_match=if_match, at=at)


def only_id(principal: Principal, type_name: str, query: str, interaction: Literal["u", "d"]) -> str:
    """The id of the one resource that a query names, for a conditional patch or delete. Raises NotVisible for none."""
    type_, _ = writer_of(type_name, _INTERACTIONS[interaction])
    check_scope(principal, type_.name, interaction)
    id_ = _only_match(principal, type_, query)
    if id_ is None:
        raise NotVisible(f"No {type_.name} that you can see matches the query.")
    return id_


def _only_match(principal: Principal, type_: ResourceType, query: str) -> str | None:
    """The id of the one match, None for none. Raises PreconditionFailed for several, and InvalidResource for a query
    that names nothing, so that it could match anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", [type_.name, _normal(query)])
    ids = matching_ids(principal, type_, query, limit=2)
    if len(ids) > 1:
        raise PreconditionFailed(f"Several {type_.name} resources match the query: name the one by its id.")
    return ids[0] if ids else None


def _normal(query: str) -> str:
    """The same for two spellings of one query."""
    return urlencode(sorted(parse_qsl(query, keep_blank_values=True)))
