"""Who is asking, over REST and FHIR: the bearer of an access token of this exchange."""

from typing import TYPE_CHECKING

from django.conf import settings
from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from oauth2_provider.models import AccessToken
from rest_framework.request import Request

from core.policy.principal import Principal
from core.policy.source import address_of

if TYPE_CHECKING:
    from core.models import User


class BearerAuthentication(OAuth2Authentication):
    """`request.user` becomes the User and `request.auth` their Principal.

    Opaque or JWT (RFC 9068), a token is found by its hash: it stands while its row does. One that was issued for other
    resources only (RFC 8707) is refused by the library, with the rule of core/oauth/resources.py.
    """

    def authenticate(self, request: Request) -> "tuple[User, Principal] | None":
        found = super().authenticate(request)
        if found is None:
            return None
        user, token = found
        return user, principal_of(user, token, source=request.META.get(settings.CLIENT_IP, ""))


def principal_of(user: "User", token: AccessToken, *, source: str) -> Principal:
    """The person behind a token that stands. Its rows are looked up at the moment of each query, so no limits here."""
    return Principal(
        user_id=user.pk,
        user_type=user.user_type,
        client_id=token.application.client_id if token.application else "",
        scopes=frozenset(token.scope.split()),
        token_key=token.token_checksum,
        source=address_of(source),
    )
