"""The authorization server's pages and endpoints, where they differ from the library's."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oauth2_provider import views
from oauth2_provider.models import Application
from oauth2_provider.oauth2_backends import _add_iss_to_redirect
from oauth2_provider.settings import oauth2_settings
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error, UnsupportedGrantTypeError


@method_decorator(never_cache, name="dispatch")
class AuthorizationView(views.AuthorizationView):
    """The consent page. It names the client, where the answer goes, and what is asked for, every time."""

    template_name = "core/authorize.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The library would let the client skip the question, with `approval_prompt=auto`."""
        query = request.GET.copy()
        query["approval_prompt"] = "force"
        request.GET = query  # type: ignore[assignment]
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponseBase:
        get_object_or_404(Application, client_id=form.cleaned_data["client_id"])
        return super().form_valid(form)

    def form_invalid(self, _form: Any) -> HttpResponseBase:
        error = InvalidRequestError(description="The form came back incomplete: start again in the application.")
        return self.render_to_response({"error": error}, status=400)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        redirect = urlsplit(kwargs.get("redirect_uri", ""))
        return super().get_context_data(
            **kwargs, redirect_host=redirect.netloc, redirect_is_local=redirect.scheme == "http"
        )

    def redirect(self, redirect_to: str, application: Any) -> HttpResponseBase:
        """RFC 9207 §2: a refusal names the issuer too; the library does so in successes only."""
        return super().redirect(_add_iss_to_redirect(redirect_to, settings.BASE_URL), application)


class TokenView(views.TokenView):
    @method_decorator(transaction.atomic)  # the validator locks the code
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = self._refusal(request) or super().post(request, *args, **kwargs)
        response["Content-Type"] = "application/json"  # RFC 6749 §5; the library's late refusals lack these two
        response["Cache-Control"] = "no-store"
        return response

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Only the grants that discovery lists; the library has more, some of which nothing here has prepared."""
        error: OAuth2Error | None = None
        if request.POST.get("grant_type") not in oauth2_settings.OAUTH2_GRANT_TYPES_SUPPORTED:
            error = UnsupportedGrantTypeError()
        elif any("\0" in value for value in request.POST.values()):  # PostgreSQL cannot even look for it
            error = InvalidRequestError()
        return error and HttpResponse(error.json, status=error.status_code)

