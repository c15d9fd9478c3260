"""What a token was given for: SMART App Launch 2.2 scopes, `<context>/<resource type>.<cruds>`.

`user/` is everything that the person may do themselves, `patient/` the same for the patient's own data. A scope
narrows and never grants a row: that is the access views' part.
"""

import re
from functools import lru_cache
from typing import Literal

from core.policy.errors import PermissionDenied
from core.policy.principal import Principal, UserType

Interaction = Literal["c", "r", "u", "d", "s"]
"""create, read, update, delete, search: the letters of SMART v2, in its order."""

_SCOPE = re.compile(r"(?P<context>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<letters>c?r?u?d?s?)")


def check_scope(principal: Principal, resource_type: str, interaction: Interaction) -> None:
    """Raises PermissionDenied when no scope of the token covers this interaction with this type of resource."""
    if not _covers(principal.scopes, principal.user_type, resource_type, interaction):
        raise PermissionDenied(
            f"The token has no scope for this: ask for user/{resource_type}.{interaction}, or a broader one."
        )


@lru_cache(1_000)
def _covers(scopes: frozenset[str], user_type: UserType, resource_type: str, interaction: str) -> bool:
    return any(
        (match := _SCOPE.fullmatch(scope))
        and match["type"] in ("*", resource_type)
        and interaction in match["letters"]
        and (match["context"] == "user" or (match["context"] == "patient" and user_type is UserType.PATIENT))
        for scope in scopes
    )
