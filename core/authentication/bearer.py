"""Who is asking, over REST and FHIR: the bearer of an access token of this exchange."""

import hashlib
import json
from typing import Literal, NamedTuple

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from oauth2_provider.models import AccessToken
from oauth2_provider.www_authenticate import build_bearer_challenge
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.models import User
from core.policy import mcp_tokens
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.source import address_of
from core.sql import statement

_BEARER = statement("bearer")
_BEARER_OF_MCP_TOKEN = statement("bearer_mcp_token")
REALM = "JupyterHealth Exchange"
_REFUSED = "The token is not known here, has expired or was revoked: get a new one."
_OTHER_RESOURCE = "The token was issued for another resource: ask for one for this server."


class BearerAuthentication(BaseAuthentication):
    """`request.user` becomes the User, whose columns are fetched if anybody asks, and `request.auth` their Principal.

    Opaque, JWT (RFC 9068) or MCP token, a token is found by its hash: it stands while its row does. One plain
    statement, and the body of the request stays unread; the library's own class for this would parse it and ask thrice.
    """

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = find_token(given.strip())
        if found is None:
            raise AuthenticationFailed(_REFUSED)
        if not AccessToken(resource=json.loads(found.resource)).allows_audience(settings.BASE_URL):
            raise AuthenticationFailed(_OTHER_RESOURCE)  # RFC 8707, with the rule of core/oauth/resources.py
        return User.from_db(None, ["id"], [found.user_id]), found.principal(address_of_client(request))

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750 §3: without a token there is no error to name."""
        return challenge(request, "invalid_token" if "Authorization" in request.headers else None)


def challenge(request: Request, error: Literal["invalid_token", "insufficient_scope"] | None, **more: str) -> str:
    """The value of WWW-Authenticate (RFC 6750 §3)."""
    attributes = ({"error": error} if error else {}) | more
    return build_bearer_challenge(request, oauth2_error=attributes, realm=REALM, resource_metadata_url=None)


def address_of_client(request: Request | HttpRequest) -> str:
    """Where the request comes from, as far as that can be believed (settings.CLIENT_IP)."""
    return address_of(request.META.get(settings.CLIENT_IP, ""))


class _Found(NamedTuple):
    """A token that stands: the columns of core/sql/bearer*.sql, and its hash."""

    user_id: int
    is_practitioner: bool
    client_id: str
    scope: str
    resource: str
    narrowing_id: int | None
    permissions: list[str] | None
    studies: list[int] | None
    use_is_to_be_noted: bool
    token_key: str

    def principal(self, source: str) -> Principal:
        return Principal(
            user_id=self.user_id,
            user_type=UserType.PRACTITIONER if self.is_practitioner else UserType.PATIENT,
            client_id=self.client_id,
            scopes=frozenset(self.scope.split()),
            token_key=self.token_key,
            source=source,
            narrowing_id=self.narrowing_id,
            permissions=None if self.permissions is None else frozenset(map(Permission, self.permissions)),
            studies=None if self.studies is None else frozenset(self.studies),
        )


def find_token(token: str) -> _Found | None:
    """A token of whichever kind, while it stands. An MCP token that is mistyped or made up is told by its checksum,
    without asking the database.
    """
    is_mcp_token = token.startswith(mcp_tokens.PREFIX)
    if is_mcp_token and not mcp_tokens.is_well_formed(token):
        return None
    checksum = hashlib.sha256(token.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_BEARER_OF_MCP_TOKEN if is_mcp_token else _BEARER, {"checksum": checksum})
        row = cursor.fetchone()
        found = _Found._make((*row, checksum)) if row else None
        if found and found.use_is_to_be_noted:
            cursor.execute("SELECT mcp_token_used(%s)", [checksum])
    return found
