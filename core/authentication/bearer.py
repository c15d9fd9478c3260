"""Who is asking, over REST and FHIR: the bearer of an access token of this exchange."""

import hashlib
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from oauth2_provider.models import AccessToken
from oauth2_provider.www_authenticate import build_bearer_challenge
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.policy.principal import Principal
from core.policy.source import address_of

if TYPE_CHECKING:
    from core.models import User

REALM = "JupyterHealth Exchange"
_REFUSED = "The token is not known here, has expired or was revoked: get a new one."
_OTHER_RESOURCE = "The token was issued for another resource: ask for one for this server."


class BearerAuthentication(BaseAuthentication):
    """`request.user` becomes the User and `request.auth` their Principal.

    Opaque or JWT (RFC 9068), a token is found by its hash: it stands while its row does. One query, and the body of the
    request stays unread; the library's own class for this would parse it and ask thrice.
    """

    def authenticate(self, request: Request) -> "tuple[User, Principal] | None":
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = _find(given.strip())
        if token is None or token.is_expired() or token.user is None or not token.user.is_active:
            raise AuthenticationFailed(_REFUSED)
        if not token.allows_audience(settings.BASE_URL):  # RFC 8707, with the rule of core/oauth/resources.py
            raise AuthenticationFailed(_OTHER_RESOURCE)
        return token.user, principal_of(token.user, token, source=address_of_client(request))

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750 §3: without a token there is no error to name."""
        return challenge(request, "invalid_token" if "Authorization" in request.headers else None)


def challenge(request: Request, error: Literal["invalid_token", "insufficient_scope"] | None, **more: str) -> str:
    """The value of WWW-Authenticate (RFC 6750 §3)."""
    attributes = ({"error": error} if error else {}) | more
    return build_bearer_challenge(request, oauth2_error=attributes, realm=REALM, resource_metadata_url=None)


def principal_of(user: "User", token: AccessToken, *, source: str) -> Principal:
    """The person behind a token that stands. Its rows are looked up at the moment of each query, so no limits here."""
    return Principal(
        user_id=user.pk,
        user_type=user.user_type,
        client_id=token.application.client_id if token.application else "",
        scopes=frozenset(token.scope.split()),
        token_key=token.token_checksum,
        source=source,
    )


def address_of_client(request: Request) -> str:
    """Where the request comes from, as far as that can be believed (settings.CLIENT_IP)."""
    return address_of(request.META.get(settings.CLIENT_IP, ""))


def _find(token: str) -> AccessToken | None:
    checksum = hashlib.sha256(token.encode()).hexdigest()
    # With the practitioner, because it decides what type of user somebody is.
    related = AccessToken.objects.select_related("user__practitioner", "application")
    return related.filter(token_checksum=checksum).first()
