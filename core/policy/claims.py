"""`jhe_permissions` and its neighbours: written by the provider, read by the MCP server, in one place.

    {"sub": "10002", "user_type": "practitioner", "user_id": 10002,
     "jhe_permissions": {"studies": [30001], "organizations": [{"id": 20003, "name": "…", "role": "manager"}],
                         "truncated": false}}

A patient's token has no `jhe_permissions`. A token that is narrowed has its `narrowing` (core/models/narrowing.py) too,
and the lists are what that leaves. Past MAX_STUDIES or MAX_ORGANIZATIONS the lists are cut, so that the
token still fits a request header (8 kB with the usual proxies), and `truncated` is true. Long names cut earlier.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from core.policy.errors import NotAuthenticated
from core.policy.principal import OrganizationRole, Principal, TokenLimits, UserType

MAX_STUDIES = 200
MAX_ORGANIZATIONS = 50
MAX_ORGANIZATIONS_TEXT = 3_200
"""Characters of JSON."""


def claims_for(
    principal: Principal, studies: Iterable[int], organizations: Iterable[OrganizationRole]
) -> dict[str, Any]:
    """The claims of one caller. `studies` and `organizations` are what the access views give them, in any order."""
    claims: dict[str, Any] = {"user_type": principal.user_type.value, "user_id": principal.user_id}
    if principal.narrowing_id is not None:
        claims["narrowing"] = principal.narrowing_id
    if principal.user_type is UserType.PRACTITIONER:
        claims["jhe_permissions"] = _permissions(sorted(studies), sorted(organizations, key=lambda o: o.id))
    return claims


def _permissions(studies: list[int], organizations: list[OrganizationRole]) -> dict[str, Any]:
    listed = [{"id": o.id, "name": o.name, "role": o.role} for o in organizations[:MAX_ORGANIZATIONS]]
    while len(json.dumps(listed)) > MAX_ORGANIZATIONS_TEXT:
        listed.pop()
    return {
        "studies": studies[:MAX_STUDIES],
        "organizations": listed,
        "truncated": len(studies) > MAX_STUDIES or len(organizations) > len(listed),
    }


def principal_from(claims: Mapping[str, Any], *, token_key: str) -> Principal:
    """The person behind verified claims. Raises NotAuthenticated when the claims are not ours to read."""
    try:
        user_id = _integer(claims["user_id"])
        narrowing_id = _integer(claims["narrowing"]) if "narrowing" in claims else None
        if user_id <= 0 or (narrowing_id is not None and narrowing_id >= 0):  # the access views tell them by their sign
            raise ValueError
        if claims["sub"] != str(user_id):
            raise NotAuthenticated("The token names two different people.")
        return Principal(
            user_id=user_id,
            user_type=UserType(claims["user_type"]),
            client_id=str(claims.get("client_id") or claims.get("azp") or ""),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            token_key=token_key,
            limits=_limits(claims.get("jhe_permissions")),
            narrowing_id=narrowing_id,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAuthenticated("The token does not carry this exchange's claims: log in again.") from error


def _limits(permissions: Mapping[str, Any] | None) -> TokenLimits | None:
    if permissions is None:
        return None
    return TokenLimits(
        studies=frozenset(_integer(study) for study in permissions["studies"]),
        organizations=tuple(
            OrganizationRole(_integer(o["id"]), str(o["name"]), str(o["role"])) for o in permissions["organizations"]
        ),
        truncated=permissions["truncated"] is not False,
    )


def _integer(value: Any) -> int:
    if type(value) is not int:  # bool is an int to isinstance, and no id
        raise TypeError
    return value
