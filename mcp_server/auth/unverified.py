"""What a JWT says of itself before anybody has checked it: enough to choose who checks it, and trusted no further.

Read strictly: two readers of one token must never see two different things in it.
"""

import base64
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

from core.policy.errors import NotAuthenticated
from mcp_server.auth.issuers import Algorithm

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256")
NO_TOKEN = "This is not a token of this exchange."  # noqa: S105 - a sentence

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
"""RFC 7515 §3.1. The libraries' decoders skip letters that are none of base64's."""


def header_of(token: str) -> Mapping[str, Any]:
    """Raises NotAuthenticated."""
    if not _COMPACT.fullmatch(token):
        raise NotAuthenticated(NO_TOKEN)
    return _header(token.partition(".")[0])


def issuer_of(token: str) -> str:
    """`iss` of a token whose header was read. Raises NotAuthenticated."""
    claims = _strict_json(token.split(".")[1])
    issuer = claims.get("iss")
    if issuer is None:
        raise NotAuthenticated("The token lacks the claim iss.")
    if not isinstance(issuer, str):
        raise NotAuthenticated(NO_TOKEN)
    return issuer


@lru_cache(100)  # tokens that one key has signed begin the same
def _header(part: str) -> Mapping[str, Any]:
    header = _strict_json(part)
    if header.get("alg") not in ALGORITHMS:
        raise NotAuthenticated(f"Tokens must be signed with {' or '.join(ALGORITHMS)}.")
    if not isinstance(header.get("kid"), str):
        raise NotAuthenticated("The token does not name its key (kid).")
    if "crit" in header:  # RFC 7515 §4.1.11: there is no extension that is understood here
        raise NotAuthenticated("The token asks for extensions (crit) that are not known here.")
    return header


def _strict_json(part: str) -> dict[str, Any]:
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
        read = json.loads(content, object_pairs_hook=_each_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotAuthenticated(NO_TOKEN) from None
    if not isinstance(read, dict):
        raise NotAuthenticated(NO_TOKEN)
    return read


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7519 §4: claim names are unique. Readers differ on which of two counts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse(_: str) -> NoReturn:
    """NaN and Infinity, which are no JSON."""
    raise ValueError
