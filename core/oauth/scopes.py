"""The scopes that clients may ask for: those of the settings, and SMART's for each type of resource (v2, granular)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from oauth2_provider.scopes import SettingsScopes
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidScopeError

from core.actions.scope_codes import check_told_apart, kinds_of
from core.actions.scope_codes import codes_of as codes_of
from core.open_mhealth.kinds import category_of
from core.policy.errors import InvalidInput
from core.policy.scopes import ResourceScope, parse, resource_scopes, sentence_of

PLAIN: Mapping[str, str] = settings.OAUTH2_PROVIDER["SCOPES"]

LISTED_SCOPES = list(dict.fromkeys((*PLAIN, *resource_scopes(("rs", "cruds")))))
"""What SMART clients are told of: naming all combinations of letters would help nobody."""

NOT_OFFERED = (
    "A scope is one of this server's metadata, or user or patient, a slash, a type of resource or *, a dot, and of the "
    "letters cruds some, in this order. Only Observation can be narrowed further, by ?code= or ?category= with one "
    "value. Scopes for system are those of the client credentials grant, which has no others but mcp. Apps are not "
    "launched from here, and know of no encounter: launch/patient is the only launch context."
)
"""In the characters that RFC 6749 §5.2 allows."""


def check_offered(
    scopes: Iterable[str],
    request: Request,
    *,
    contexts: Collection[str] = ("patient", "user"),
    plain: Collection[str] = PLAIN.keys(),
) -> None:
    """Raises the OAuth error `invalid_scope`, with what would be right, for a scope that this request cannot have."""
    asked = list(scopes)
    if not all(scope in plain or ((parsed := parse(scope)) and parsed.context in contexts) for scope in asked):
        raise InvalidScopeError(description=NOT_OFFERED, request=request)
    try:
        check_told_apart(asked)
    except InvalidInput as error:
        raise InvalidScopeError(description=str(error), request=request) from None


def words_of(scope: str) -> str:
    """What the consent page says of a scope. Raises ValueError for one that is not offered."""
    if scope in PLAIN:
        return PLAIN[scope]
    parsed = parse(scope)
    return sentence_of(scope, _words_of_kind(parsed) if parsed and parsed.parameter else "")


class _Words(dict[str, str]):
    """The library looks words up, in both of these ways."""

    def __missing__(self, scope: str) -> str:
        return words_of(scope)

    def get(self, scope: str, _default: Any = None) -> str:
        return words_of(scope)


class Scopes(SettingsScopes):
    """The library's metadata goes on listing those of the settings; the validator accepts all that are offered."""

    def get_all_scopes(self) -> dict[str, str]:
        return _Words(PLAIN)


def _words_of_kind(scope: ResourceScope) -> str:
    kinds = kinds_of(scope)
    if not kinds:
        raise ValueError("Not a kind of data that is known here.")
    category = category_of(kinds[0].coding_code) if scope.parameter == "category" else None
    words = category[1].lower() if category else kinds[0].text
    return words if words[:2].isupper() else words[:1].lower() + words[1:]
