"""The authorization server's endpoints for programs, where they differ from the library's."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from oauth2_provider import views
from oauth2_provider.settings import oauth2_settings
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error, UnsupportedGrantTypeError

from core.oauth.wrong_secrets import CountsWrongSecrets

_MANY = ("resource", "audience")
"""RFC 8707 §2, RFC 8693 §2.1. All else is sent once (RFC 6749 §3.2), which oauthlib sees to for some grants only."""


class TokenView(CountsWrongSecrets, views.TokenView):
    @method_decorator(transaction.atomic)  # the validator takes the person's turn
    def post(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        # For all grants alike: what the library does for devices, oauthlib does with the validator's help.
        response = self._refusal(request) or self._answer(request)
        response["Content-Type"] = "application/json"  # RFC 6749 §5; the library's late refusals lack these two
        response["Cache-Control"] = "no-store"
        return response

    @method_decorator(sensitive_post_parameters("client_secret", "subject_token", "refresh_token", "code"))
    def _answer(self, request: HttpRequest) -> HttpResponse:
        """Without the library's look for the row of each token: a token for a peer (core/oauth/peers) has none here."""
        _, headers, body, status = self.create_token_response(request)
        return HttpResponse(body, status=status, headers=headers)

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Only the grants that discovery lists; the library has more, some of which nothing here has prepared."""
        error: OAuth2Error | None = None
        if request.POST.get("grant_type") not in oauth2_settings.OAUTH2_GRANT_TYPES_SUPPORTED:
            error = UnsupportedGrantTypeError()
        elif any("\0" in value for _, values in request.POST.lists() for value in values):
            error = InvalidRequestError()  # PostgreSQL cannot even look for it
        elif any(len(values) > 1 and name not in _MANY for name, values in request.POST.lists()):
            error = InvalidRequestError(description=f"Each parameter is sent once, except {' and '.join(_MANY)}.")
        return error and HttpResponse(error.json, status=error.status_code)


class RevocationView(CountsWrongSecrets, views.RevokeTokenView):
    """RFC 7009."""
