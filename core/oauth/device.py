"""The pages and the endpoint of the device flow (RFC 8628); its codes are in core/oauth/device_codes.py."""

import json
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views import View
from oauth2_provider import views
from oauth2_provider.models import Application, DeviceGrant
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import OAuth2Error, UnauthorizedClientError
from rest_framework.throttling import SimpleRateThrottle

from core.actions.acting import record_write
from core.actions.client_consents import caller
from core.authentication.throttles import AddressThrottle
from core.oauth import device_codes
from core.oauth.guard import guarded
from core.oauth.known_clients import how_known, name_of, names_of
from core.oauth.narrowing_form import ConsentForm
from core.oauth.resources import canonical
from core.oauth.sessions import authenticated_at

_NO_CODE = "No program waits with this code. Look at it once more, or let the program show a new one."
_TOO_MANY = "These were too many codes: try again in an hour."
_RESOURCES = 10


class DeviceAuthorizationView(views.DeviceAuthorizationView):
    """RFC 8628 §3.1, with resource indicators (RFC 8707). There is no `verification_uri_complete` (ADR 27)."""

    def post(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        if not AddressThrottle().allow_request(request, self):  # type: ignore[arg-type]
            return JsonResponse({"error": "slow_down", "error_description": "Too many requests: wait."}, status=429)
        headers, body, status = self.create_device_authorization_response(request)
        if status != 200:
            return JsonResponse(json.loads(body), status=status, headers={**headers, "Cache-Control": "no-store"})
        try:
            return self._begun(request, body)
        except OAuth2Error as error:
            return JsonResponse(json.loads(error.json), status=error.status_code, headers={"Cache-Control": "no-store"})

    def _begun(self, request: HttpRequest, codes: dict[str, Any]) -> JsonResponse:
        client = Application.objects.get(client_id=request.POST["client_id"])
        if not device_codes.may_ask(client):
            raise UnauthorizedClientError(description="This client has a login in a browser only.")
        resources = canonical(request.POST.getlist("resource")[:_RESOURCES], Request(""))
        scopes = codes.pop("scope").split()
        codes["user_code"] = device_codes.user_code()
        device_codes.begin(client, codes, scopes, resources)
        answer = {**codes, "user_code": device_codes.shown(codes["user_code"])}
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})


class CodeThrottle(SimpleRateThrottle):
    """RFC 8628 §5.1: nobody guesses codes."""

    rate = "20/hour"
    scope = "user_code"

    def get_cache_key(self, request: Any, _view: Any) -> str:
        return f"throttle:user_code:{request.user.pk}"


class DeviceView(LoginRequiredMixin, View):
    """Where somebody enters the code that their program shows, sees what it asks for, and answers.

    Each step sends the code: what is answered is what was asked for with it, which does not change.
    """

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return _page(request, "core/device.html", {})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if not CodeThrottle().allow_request(request, self):  # type: ignore[arg-type]
            return _page(request, "core/device.html", {"fault": _TOO_MANY}, status=429)
        with transaction.atomic():
            grant = device_codes.waiting(device_codes.entered(request.POST.get("user_code", "")))
            client = grant and Application.objects.filter(client_id=grant.client_id).first()
            if grant is None or client is None:
                return _page(request, "core/device.html", {"fault": _NO_CODE}, status=400)
            return self._step(request, grant, client)

    def _step(self, request: HttpRequest, grant: DeviceGrant, client: Application) -> HttpResponseBase:
        if "deny" in request.POST:
            device_codes.deny(grant)
            return _page(request, "core/device_done.html", {"client_name": name_of(client)})
        answered = "allow" in request.POST
        form = ConsentForm(
            scopes=grant.scope.split(),
            resources=grant.request.resource,
            caller=caller(request.user, None),  # type: ignore[arg-type]
            data=request.POST if answered else None,
        )
        if answered and form.is_valid():
            self._allow(request, grant, client, form)
            return _page(request, "core/device_done.html", {"client_name": name_of(client), "allowed": True})
        context = {
            "form": form,
            "client_name": name_of(client),
            "client_known": how_known(client),
            "doors": names_of(grant.request.resource),
            "user_code": device_codes.shown(grant.user_code),
        }
        return _page(request, "core/device_consent.html", context, status=400 if answered else 200)

    def _allow(self, request: HttpRequest, grant: DeviceGrant, client: Application, form: ConsentForm) -> None:
        user: Any = request.user
        device_codes.allow(
            grant,
            user=user,
            client=client,
            scopes=form.granted,
            reach=form.reach,
            authenticated=authenticated_at(request),
        )
        detail = {"client": client.client_id, "scope": " ".join(form.granted), "device": True, **form.reach}
        record_write(caller(user, None), door="oauth", action="give_client_consent", patient_ids=[], detail=detail)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, template, context, status=status)
    guarded(response)
    return response
