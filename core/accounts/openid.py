"""allauth's two pages of OpenID Connect, which let a provider that is away become a fault of ours."""

from collections.abc import Callable
from functools import wraps

from allauth.socialaccount.providers.openid_connect import views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from requests import RequestException


def _told_when_away(view: Callable[[HttpRequest, str], HttpResponse]) -> Callable[[HttpRequest, str], HttpResponse]:
    @wraps(view)
    def told(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return view(request, provider_id)
        except RequestException:
            why = "It does not answer at the moment. Try again in a while."
            return render(request, "socialaccount/refused.html", {"why": why}, status=503)

    return told


login = _told_when_away(views.login)
callback = _told_when_away(views.callback)
