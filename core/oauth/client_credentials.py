"""The client credentials grant (RFC 6749 §4.4), with SMART's `system/` scopes: practitioners' own clients act for them.

Such a token is the practitioner's, and ends with their account. There is no refresh token: the client shows its secret.
"""

from collections.abc import Iterable

from oauth2_provider.models import Application
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidScopeError

from core.actions.narrowings import narrow_within
from core.models import PractitionerClient
from core.oauth.scopes import check_offered, codes_of
from core.policy.principal import UserType
from core.policy.scopes import PLAIN_SYSTEM_SCOPES, is_within


def own_client(application: Application) -> PractitionerClient | None:
    """The client as its owner's, while that is a practitioner who may log in."""
    owned = PractitionerClient.objects.select_related("application__user", "narrowing")
    own = owned.filter(pk=application.pk, application__user__is_active=True).first()
    is_practitioners = own is not None and own.application.user.user_type is UserType.PRACTITIONER
    return own if is_practitioners else None


def check_scopes(own: PractitionerClient, scopes: Iterable[str], request: Request) -> None:
    """Raises the OAuth error `invalid_scope` for more than the client was made for."""
    asked = list(scopes)
    check_offered(asked, request, contexts=("system",), plain=PLAIN_SYSTEM_SCOPES)
    if not all(is_within(own.scope.split(), scope) for scope in asked):
        raise InvalidScopeError(description="The client was not made for all of these scopes.", request=request)


def narrow_token(own: PractitionerClient, request: Request) -> None:
    """What the token is narrowed to: what its client is, and the kinds of data that its scopes tell apart."""
    codes = codes_of(request.scopes, UserType.PRACTITIONER)
    request._narrowing = narrow_within(own.narrowing, user=request.user, codes=codes)
