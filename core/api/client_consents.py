"""/client_consents: what people let OAuth clients do, by client. Each person sees and ends their own."""

from typing import Any

from rest_framework import serializers

from core.actions.client_consents import withdraw
from core.actions.connected_apps import ConnectedApp, connected_apps
from core.api.clients import StudyName
from core.api.serializers import CamelCase, IdField
from core.api.views import DOOR, RestView, operation
from core.models import ClientConsent, Study, User
from core.policy.checks import no_such
from core.policy.errors import NotVisible


class ClientConsentAnswer(CamelCase):
    """Everything that a person granted to one client, at whatever times. `studies` are those that the reader sees."""

    id = IdField(source="client.pk", help_text="Of the client.")
    client_id = serializers.CharField(source="client.client_id", help_text="Its name in OAuth.")
    name = serializers.CharField(source="client.name", help_text="What it calls itself.")
    scopes = serializers.ListField(child=serializers.CharField())
    resources = serializers.ListField(child=serializers.CharField(), help_text="RFC 8707; none: this server.")
    studies = serializers.SerializerMethodField(help_text="Null: all of the person's, those that come later too.")
    since = serializers.DateTimeField()
    last_token = serializers.DateTimeField(allow_null=True, help_text="When it last got tokens.")

    def get_studies(self, app: ConnectedApp) -> list[dict[str, Any]] | None:
        view: ClientConsentView = self.context["view"]
        if (reached := app.studies(view.person)) is None:
            return None
        pks = [study.pk for study in reached]
        seen = Study.objects.visible_to(view.principal).filter(pk__in=pks).order_by("pk")
        return list(StudyName(seen, many=True).data)


class ClientConsentView(RestView):
    @property
    def person(self) -> User:
        return User.objects.select_related("practitioner").get(pk=self.principal.user_id)

    def apps(self) -> list[ConnectedApp]:
        consents = ClientConsent.objects.visible_to(self.principal).select_related("application", "narrowing")
        return list(connected_apps(self.person, consents))

    def app(self, pk: int) -> ConnectedApp:
        found = next((app for app in self.apps() if app.client.pk == pk), None)
        if found is None:
            raise NotVisible(no_such("client consent", pk))
        return found


class ClientConsentList(ClientConsentView):
    @operation("Device.s", answer=ClientConsentAnswer, many=True)
    def get(self) -> Any:
        return self.apps()


class ClientConsentDetail(ClientConsentView):
    @operation("Device.r", answer=ClientConsentAnswer)
    def get(self, pk: int) -> Any:
        return self.app(pk)

    @operation("Device.d")
    def delete(self, pk: int) -> None:
        """End it: every code and token of the client for this person, on every door, at once."""
        client = self.app(pk).client
        withdraw(actor=self.principal, door=DOOR, user=self.person, application=client)
