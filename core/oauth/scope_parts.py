"""A request's scopes as a person decides on them: in words, once each, and what can be left out on its own.

RFC 6749 §3.3: a client may be given less than it asked for, and is told. Without what only reads it would not work at
all, and neither would a login without `openid`: those go with the whole request.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from core.oauth.scopes import words_of

ABOUT_YOU = "About you"
DATA = "Studies and health data"
DURATION = "For how long"
GROUPS = (ABOUT_YOU, DATA, DURATION)

_PERSONAL = {"openid": False, "profile": True, "email": True, "fhirUser": True}
_STAY = "offline_access"
_EXTRAS = ("mcp_tokens", "own_clients", _STAY)
_READING = "rs"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a person reads and, where it is optional, can leave out."""

    scope: str
    words: str
    group: str
    optional: bool


def parts_of(scopes: Iterable[str]) -> list[Part]:
    """Nothing that is asked for is left out, and nothing comes twice."""
    halves = dict.fromkeys(half for scope in scopes for half in _halves(scope))
    return [Part(half, words_of(half), _group_of(half), _is_optional(half)) for half in halves]


def granted(scopes: Iterable[str], ticked: Collection[str]) -> list[str]:
    """What is left of the scopes asked for when of the optional parts only these are ticked."""
    left: dict[str, None] = {}
    for scope in scopes:
        halves = _halves(scope)
        kept = [half for half in halves if half in ticked or not _is_optional(half)]
        left |= dict.fromkeys([scope] if kept == halves else kept)
    return list(left)


def keeps_connected(asked: Collection[str], granted: Collection[str]) -> bool:
    """Whether the client gets refresh tokens: unless it asked for that by name and the person unticked it.

    Clients that never name it get them too (RFC 6749 §1.5): those of MCP ask for what the endpoint's metadata list.
    """
    return _STAY not in asked or _STAY in granted


def reaches_data(scopes: Iterable[str]) -> bool:
    """Whether which studies there are to reach makes a difference."""
    return any(_group_of(scope) == DATA for scope in scopes)


def _group_of(scope: str) -> str:
    if scope in _PERSONAL:
        return ABOUT_YOU
    return DURATION if scope == "offline_access" else DATA


def _is_optional(scope: str) -> bool:
    return _PERSONAL.get(scope, scope in _EXTRAS or bool(set(_letters_of(scope)) - set(_READING)))


def _letters_of(scope: str) -> str:
    return scope.partition("?")[0].rpartition(".")[2] if "." in scope else ""


def _halves(scope: str) -> list[str]:
    """What reads and what writes, where a scope is both: `user/*.rs` and `user/*.cud` for `user/*.cruds`."""
    letters = _letters_of(scope)
    reading = "".join(letter for letter in letters if letter in _READING)
    writing = "".join(letter for letter in letters if letter not in _READING)
    if not (reading and writing):
        return [scope]
    return [scope.replace(f".{letters}", f".{half}", 1) for half in (reading, writing)]
