"""Logging out where one logged in, asked for by a client (OpenID Connect RP-Initiated Logout 1.0)."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.dcr import enforce_csrf
from oauth2_provider.exceptions import (
    InvalidOIDCClientError,
    InvalidOIDCRedirectURIError,
    LogoutDenied,
    OIDCError,
)
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from oauth2_provider.views import RPInitiatedLogoutView
from oauthlib.common import add_params_to_uri

from core.actions.clients import leads_somewhere
from core.models import User
from core.oauth.guard import guarded
from core.oauth.registration import LOOPBACK


@method_decorator([never_cache, csrf_exempt], name="dispatch")
class LogoutView(RPInitiatedLogoutView):
    """Ends the session and what the asking client holds. A person is asked, unless the client shows their ID token.

    Nobody is logged out, and no token ends, on behalf of somebody else: what a request without a session brings is
    looked at for where to go next, and no more. The address to go to is exactly one that the client registered.
    """

    template_name = "core/logout.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The button of our own page, which is known by its CSRF token; else a client that asks by POST (§2)."""
        if enforce_csrf(request):
            return super().post(request, *args, **kwargs)
        request.GET = request.POST
        return self.get(request, *args, **kwargs)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponseBase:
        response = super().render_to_response(context, **kwargs)
        return guarded(response, self.oidc_data.get("post_logout_redirect_uri") or "")

    def get_request_application(self, id_token: IDToken | None, client_id: str | None) -> Application | None:
        if client_id and "\0" in client_id:  # PostgreSQL cannot even look for it
            raise InvalidOIDCClientError
        try:
            return super().get_request_application(id_token, client_id)
        except Application.DoesNotExist:
            raise InvalidOIDCClientError from None

    def do_logout(
        self,
        application: Application | None = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
        _token_user: User | None = None,
    ) -> HttpResponseBase:
        if self.request.user.is_authenticated:
            if application is not None:
                _end_tokens(self.request.user, application)
            logout(self.request)
        if application is None or not post_logout_redirect_uri:
            return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL or "/"))
        target = add_params_to_uri(post_logout_redirect_uri, [("state", state)]) if state else post_logout_redirect_uri
        return OAuth2ResponseRedirect(target, application.get_allowed_schemes())

    def validate_post_logout_redirect_uri(self, application: Application | None, uri: str | None) -> None:
        """Exactly one that is registered, and none in the open, whatever an admin has typed."""
        super().validate_post_logout_redirect_uri(application, uri)
        if uri and not leads_somewhere(uri, loopback=LOOPBACK):
            raise InvalidOIDCRedirectURIError("It is https, or http to a program on this computer.")

    def error_response(self, error: OIDCError) -> HttpResponseBase:
        if isinstance(error, LogoutDenied):
            return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL or "/"))
        return self.render_to_response({"error": error}, status=400)


@transaction.atomic
def _end_tokens(user: User, application: Application) -> None:
    """What this client holds of this person. What the person let it do stays remembered."""
    theirs = {"user": user, "application": application}
    Grant.objects.filter(**theirs).delete()
    for token in RefreshToken.objects.filter(**theirs, revoked=None):
        token.revoke()
    AccessToken.objects.filter(**theirs).delete()
    IDToken.objects.filter(**theirs).delete()
