"""Who is asking, over REST and FHIR: the bearer of an access token of this exchange."""

import hashlib
import json
from typing import Literal

from django.conf import settings
from django.db import connection
from oauth2_provider.models import AccessToken
from oauth2_provider.www_authenticate import build_bearer_challenge
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.models import User
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.source import address_of
from core.sql import statement

_BEARER = statement("bearer")
REALM = "JupyterHealth Exchange"
_REFUSED = "The token is not known here, has expired or was revoked: get a new one."
_OTHER_RESOURCE = "The token was issued for another resource: ask for one for this server."


class BearerAuthentication(BaseAuthentication):
    """`request.user` becomes the User, whose columns are fetched if anybody asks, and `request.auth` their Principal.

    Opaque or JWT (RFC 9068), a token is found by its hash: it stands while its row does. One plain statement, and the
    body of the request stays unread; the library's own class for this would parse it and ask thrice.
    """

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        checksum = hashlib.sha256(given.strip().encode()).hexdigest()
        found = _find(checksum)
        if found is None:
            raise AuthenticationFailed(_REFUSED)
        user_id, is_practitioner, client_id, scope, resources, narrowing_id, permissions = found
        if not AccessToken(resource=json.loads(resources)).allows_audience(settings.BASE_URL):
            raise AuthenticationFailed(_OTHER_RESOURCE)  # RFC 8707, with the rule of core/oauth/resources.py
        principal = Principal(
            user_id=user_id,
            user_type=UserType.PRACTITIONER if is_practitioner else UserType.PATIENT,
            client_id=client_id,
            scopes=frozenset(scope.split()),
            token_key=checksum,
            source=address_of_client(request),
            narrowing_id=narrowing_id,
            permissions=None if permissions is None else frozenset(map(Permission, permissions)),
        )
        return User.from_db(None, ["id"], [user_id]), principal

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750 §3: without a token there is no error to name."""
        return challenge(request, "invalid_token" if "Authorization" in request.headers else None)


def challenge(request: Request, error: Literal["invalid_token", "insufficient_scope"] | None, **more: str) -> str:
    """The value of WWW-Authenticate (RFC 6750 §3)."""
    attributes = ({"error": error} if error else {}) | more
    return build_bearer_challenge(request, oauth2_error=attributes, realm=REALM, resource_metadata_url=None)


def address_of_client(request: Request) -> str:
    """Where the request comes from, as far as that can be believed (settings.CLIENT_IP)."""
    return address_of(request.META.get(settings.CLIENT_IP, ""))


_Found = tuple[int, bool, str, str, str, int | None, list[str] | None]


def _find(checksum: str) -> _Found | None:
    with connection.cursor() as cursor:
        cursor.execute(_BEARER, {"checksum": checksum})
        row: _Found | None = cursor.fetchone()
    return row
