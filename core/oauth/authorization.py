"""The authorization endpoint (RFC 6749 §3.1): what a person is asked, and what becomes of the answer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oauth2_provider import views
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.models import Application
from oauth2_provider.oauth2_backends import OAuthLibCore, _add_iss_to_redirect
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from oauthlib.openid.connect.core.exceptions import ConsentRequired, LoginRequired

from core.actions.access import take_turn
from core.actions.acting import record_write
from core.actions.client_consents import Reach, caller
from core.models import Narrowing, User
from core.oauth.consents import remembered
from core.oauth.guard import guarded
from core.oauth.known_clients import Redirect, how_known, name_of, names_of
from core.oauth.narrowing_form import ConsentForm
from core.oauth.scope_parts import keeps_connected
from core.oauth.sessions import authenticated_at

DOOR = "oauth"
_ALWAYS_ASK = frozenset({"consent", "select_account"})
_MAX_AGE_DIGITS = 9


class AuthorizationRequests(OAuthLibCore):
    """An authorization request is all in its URL. What the form of the page sends is the person's answer, and no more:
    whatever is done with it, the request is the one that was shown, checked again.
    """

    def extract_body(self, _request: HttpRequest) -> list[tuple[str, str]]:
        return []


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was found in order. `prompt` and `max_age`: OpenID Connect Core §3.1.2.1."""

    client: Application
    scopes: list[str]
    credentials: dict[str, Any]
    prompt: frozenset[str]
    max_age: int | None

    @property
    def redirect_uri(self) -> str:
        return str(self.credentials["redirect_uri"])

    @property
    def resources(self) -> list[str]:
        return list(self.credentials["request"].resource)


@method_decorator(never_cache, name="dispatch")
class AuthorizationView(views.AuthorizationView):
    """The consent page. Who asks again for no more than was granted is not asked (core/oauth/consents.py)."""

    template_name = "core/authorize.html"
    oauthlib_backend_class = AuthorizationRequests

    def get(self, _request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        try:
            asked = self._asked()
            if "login" in asked.prompt or self._is_too_long_ago(asked):
                return self._login_page(asked)
            return self._already_granted(asked) or self._page(asked, self._form(asked))
        except OAuthToolkitError as error:
            return self.error_response(error, application=None)

    def post(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        try:
            asked = self._asked()
            if "login_again" in request.POST:
                return self.handle_prompt_login()
            if "allow" not in request.POST:
                return self._give(asked, [], allow=False)
            form = self._form(asked, data=request.POST)
            if not form.is_valid():
                return self._page(asked, form, status=400)
            with transaction.atomic():
                response = self._give(asked, form.granted, reach=form.reach)
                detail = {"client": asked.client.client_id, "scope": " ".join(form.granted), **form.reach}
                actor = caller(self._person, None)
                record_write(actor, door=DOOR, action="give_client_consent", patient_ids=[], detail=detail)
            return response
        except OAuthToolkitError as error:
            return self.error_response(error, application=None)

    @property
    def _person(self) -> User:
        user: Any = self.request.user
        return user

    def _asked(self) -> Asked:
        scopes, credentials = self.validate_authorization_request(self.request)
        prompt = frozenset(self.request.GET.get("prompt", "").split())
        max_age = self.request.GET.get("max_age")
        fault = ""
        if "none" in prompt and len(prompt) > 1:
            fault = "prompt=none goes with no other value."
        elif max_age is not None and not (max_age.isascii() and max_age.isdigit() and len(max_age) <= _MAX_AGE_DIGITS):
            fault = "max_age is a number of seconds."
        if fault:
            raise _refusal(InvalidRequestError(description=fault, request=credentials["request"]))
        client = credentials["request"].client
        return Asked(client, scopes, credentials, prompt, None if max_age is None else int(max_age))

    def _is_too_long_ago(self, asked: Asked) -> bool:
        if asked.max_age is None:
            return False
        too_long = timezone.now() - authenticated_at(self.request) > timedelta(seconds=asked.max_age)
        if too_long and "none" in asked.prompt:
            raise _refusal(LoginRequired(request=asked.credentials["request"]))
        return too_long

    def handle_prompt_login(self) -> HttpResponseBase:
        """Whoever is logged in is logged out first: login pages send on those who are logged in.

        What asked for it is left out of the way back, so that one login will do; ID tokens say when it was.
        """
        logout(self.request)
        query = self.request.GET.copy()
        query["prompt"] = " ".join(value for value in query.get("prompt", "").split() if value != "login")
        query.pop("max_age", None)
        if not query["prompt"]:
            del query["prompt"]
        return redirect_to_login(f"{self.request.path}?{query.urlencode()}")

    def _already_granted(self, asked: Asked) -> HttpResponseBase | None:
        with transaction.atomic():
            take_turn(self._person.pk)
            consent = None
            if not asked.prompt & _ALWAYS_ASK:
                consent = remembered(
                    self._person,
                    asked.client,
                    redirect_uri=asked.redirect_uri,
                    scopes=asked.scopes,
                    resources=asked.resources,
                )
            if consent is not None:
                return self._give(asked, asked.scopes, narrowing=consent.narrowing)
        if "none" in asked.prompt:
            raise _refusal(ConsentRequired(request=asked.credentials["request"]))
        return None

    def _give(
        self,
        asked: Asked,
        scopes: list[str],
        *,
        allow: bool = True,
        narrowing: Narrowing | None = None,
        reach: Reach | None = None,
    ) -> HttpResponseBase:
        """Send the person back with a code. The validator makes the consent that belongs to it."""
        answer = {
            "narrowing": narrowing,
            "reach": reach or Reach(),
            "authenticated": authenticated_at(self.request),
            "refreshes": keeps_connected(asked.scopes, scopes),
        }
        uri, *_ = self.create_authorization_response(
            self.request, " ".join(scopes), {**asked.credentials, **answer}, allow
        )
        return self.redirect(uri, asked.client)

    def _form(self, asked: Asked, **kwargs: Any) -> ConsentForm:
        return ConsentForm(scopes=asked.scopes, resources=asked.resources, caller=caller(self._person, None), **kwargs)

    def _page(self, asked: Asked, form: ConsentForm, status: int = 200) -> HttpResponse:
        again = self.request.GET.copy()
        again["prompt"] = "login"
        context = {
            "form": form,
            "client_name": name_of(asked.client),
            "client_known": how_known(asked.client),
            "redirect": Redirect.to(asked.redirect_uri),
            "doors": names_of(asked.resources),
            "another_account": f"?{again.urlencode()}",
        }
        response = self.render_to_response(context, status=status)
        guarded(response, asked.redirect_uri)
        return response

    def _login_page(self, asked: Asked) -> HttpResponseBase:
        """A link that anybody can make logs nobody out: the button of this page does."""
        response = render(self.request, "core/login_again.html", {"client_name": name_of(asked.client)})
        return guarded(response, asked.redirect_uri)

    def error_response(self, error: OAuthToolkitError, application: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().error_response(error, application, **kwargs)
        return response if "Location" in response else guarded(response)

    def redirect(self, redirect_to: str, application: Any) -> HttpResponseBase:
        """RFC 9207 §2: a refusal names the issuer too; the library does so in successes only."""
        return super().redirect(_add_iss_to_redirect(redirect_to, settings.BASE_URL), application)


def _refusal(error: OAuth2Error) -> OAuthToolkitError:
    return OAuthToolkitError(error=error)
