"""Connected apps: what a person lets clients do, made less or taken back."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views import View

from core.actions.client_consents import caller, leave, withdraw
from core.actions.connected_apps import ConnectedApp, connected_apps
from core.models import User
from core.oauth.guard import guarded
from core.oauth.known_clients import how_known, name_of, names_of
from core.oauth.narrowing_form import NarrowingForm
from core.oauth.scope_parts import parts_of, reaches_data
from core.policy.errors import InvalidInput

DOOR = "web"
_MAX_STUDIES_NAMED = 200


class AppsView(LoginRequiredMixin, View):
    """All of them."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        user: Any = request.user
        return _page(request, "core/apps.html", {"apps": [_shown(app, user) for app in connected_apps(user)]})


class AppView(LoginRequiredMixin, View):
    """One of them: which of its studies it keeps, or that it keeps nothing."""

    def get(self, _request: HttpRequest, pk: int) -> HttpResponseBase:
        app = self._app(pk)
        return self._page(app, self._form(app))

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        app = self._app(pk)
        if "withdraw" in request.POST:
            withdraw(actor=caller(self._user, None), door=DOOR, user=self._user, application=app.client)
            return self._done(f"{name_of(app.client)} has no access any more.")
        form = self._form(app, data=request.POST)
        if not form.is_valid():
            return self._page(app, form, status=400)
        if not form.reach:
            return self._done("Nothing was changed.")
        try:
            leave(actor=caller(self._user, None), door=DOOR, user=self._user, application=app.client, reach=form.reach)
        except InvalidInput as error:
            form.add_error("reached", str(error))
            return self._page(app, form, status=400)
        return self._done(f"{name_of(app.client)} reaches less from now on.")

    @property
    def _user(self) -> User:
        user: Any = self.request.user
        return user

    def _app(self, pk: int) -> ConnectedApp:
        found = next((app for app in connected_apps(self._user) if app.client.pk == pk), None)
        if found is None:
            raise Http404("No app that you let act for you.")
        return found

    def _form(self, app: ConnectedApp, **kwargs: Any) -> NarrowingForm:
        return NarrowingForm(callers=app.callers(self._user) if reaches_data(app.scopes) else [], **kwargs)

    def _page(self, app: ConnectedApp, form: NarrowingForm, status: int = 200) -> HttpResponse:
        context = {"app": _shown(app, self._user), "form": form}
        return _page(self.request, "core/app.html", context, status)

    def _done(self, sentence: str) -> HttpResponseRedirect:
        messages.success(self.request, sentence)
        return redirect("apps")


def _shown(app: ConnectedApp, user: User) -> dict[str, Any]:
    studies = app.studies(user) if reaches_data(app.scopes) else []
    return {
        "pk": app.client.pk,
        "name": name_of(app.client),
        "known": how_known(app.client),
        "does": [part.words for part in parts_of(app.scopes)],
        "doors": names_of(app.resources),
        "since": app.since,
        "last_token": app.last_token,
        "reaches_data": reaches_data(app.scopes),
        "all_studies": studies is None,
        "studies": (studies or [])[:_MAX_STUDIES_NAMED],
        "more_studies": max(0, len(studies or []) - _MAX_STUDIES_NAMED),
    }


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, template, context, status=status)
    guarded(response)
    return response
