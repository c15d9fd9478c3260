"""What a consent comes to, and which are remembered: who asks again for no more than was granted need not ask."""

from collections.abc import Collection

from oauth2_provider.models import Application
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidScopeError

from core.actions.client_consents import Reach
from core.actions.narrowings import narrow
from core.actions.scope_codes import codes_of
from core.models import ClientConsent, Narrowing, User
from core.oauth.launch import check_patient, chooses_patient


def remembered(
    user: User, client: Application, *, redirect_uri: str, scopes: Collection[str], resources: Collection[str]
) -> ClientConsent | None:
    """The newest consent that covers a request: its scopes and resources, with the answer to the very same address.

    Only to one on the web, which is the client's alone: any program of a computer can listen on a loopback address and
    call itself any public client (RFC 8252 §8.6).
    """
    if not redirect_uri.startswith("https://") or chooses_patient(user, scopes):  # each time anew
        return None
    given = ClientConsent.objects.filter(user=user, application=client, redirect_uri=redirect_uri)
    covering = (consent for consent in given.select_related("narrowing") if _covers(consent, scopes, resources))
    return next(covering, None)


def _covers(consent: ClientConsent, scopes: Collection[str], resources: Collection[str]) -> bool:
    """A token for no resource in particular is for all doors that take opaque ones: not less than another."""
    granted, asked = set(consent.scope.split()), set(scopes)
    # A scope with a query is in force through the consent's narrowing, which is made for all of its scopes together.
    fits = asked == granted if any("?" in scope for scope in asked) else asked <= granted
    return fits and set(resources) <= set(consent.resource) and bool(resources) == bool(consent.resource)


def check_refreshed(consent: ClientConsent, request: Request) -> None:
    """Raises the OAuth error `invalid_scope` for fewer scopes with a query than were granted: what the token is
    narrowed to was made for all of them together, so that it would reach more than it says.
    """
    granted, asked = set(consent.scope.split()), set((request.scope or "").split())
    if asked and asked != granted and any("?" in scope for scope in granted):
        raise InvalidScopeError(description="Leave the scope out: with a query it stays as it was.", request=request)


def narrowed(user: User, scopes: Collection[str], reach: Reach) -> Narrowing | None:
    """What is left of a person's reach when they let a client have these scopes, and chose `reach` of what there is.

    Raises the OAuth error `invalid_scope` for an app that wants to know a patient, where none was chosen.
    """
    check_patient(user, scopes, reach.get("patient"))
    return narrow(
        user,
        studies=reach.get("studies"),
        organizations=reach.get("organizations"),
        codes=codes_of(scopes, user.user_type),
        patient=reach.get("patient"),
    )
