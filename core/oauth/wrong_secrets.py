"""Endpoints at which clients show their secrets, and what becomes of whoever keeps showing wrong ones."""

import math
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from core.authentication.throttles import wrong_secret_throttles


@method_decorator(csrf_exempt, name="dispatch")  # it stands before the library's, which says so too
class CountsWrongSecrets(View):
    """Mixed into a view that answers 401 to a wrong secret (RFC 6749 §5.2): after too many, 429 for a while."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        throttles = wrong_secret_throttles(request)
        for throttle in throttles:
            if not throttle.allow_request(request, self):  # type: ignore[arg-type] # it reads what both kinds have
                return _wait(math.ceil(throttle.wait() or 1))
        response = super().dispatch(request, *args, **kwargs)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            for throttle in throttles:
                throttle.note()
        return response


def _wait(seconds: int) -> HttpResponse:
    error = CustomOAuth2Error(
        error="temporarily_unavailable", description=f"The secret was wrong too often: wait {seconds} s."
    )
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    return HttpResponse(error.json, "application/json", HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
