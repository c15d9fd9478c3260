"""/clients: OAuth clients of organizations, and practitioners' own. study_parts.py has what one sends data for."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field
from oauth2_provider.models import Application
from rest_framework import serializers
from rest_framework.response import Response

from core.actions import clients
from core.api.organizations import OrganizationName
from core.api.serializers import CamelCase, CamelCaseModel, IdField, IdListField, PageQuery, ReferenceField
from core.api.views import DOOR, RestView, operation
from core.models import Client, Organization, Study
from core.models.client import ClientQuerySet
from core.models.fetch import fetch
from core.policy.permissions import Permission
from core.policy.scopes import OWN_CLIENTS

MAX_REDIRECTS = 20
MAX_NAMED = 200
_GRANTS = ("authorization_code", "client_credentials")


class StudyName(CamelCaseModel):
    class Meta:
        model = Study
        fields = ("id", "name")


class Limits(CamelCase):
    studies = serializers.ListField(child=IdField())
    organizations = serializers.ListField(child=IdField(), help_text="With everything that is theirs.")


class ClientAnswer(CamelCase):
    """`studies` are those that it sends data for and that the reader sees. Its secret is nowhere.

    `scopes` are what a practitioner's own client may ask for, `limitedTo` all that it reaches; of others both are null.
    """

    id = IdField()
    client_id = serializers.CharField(help_text="Its name in OAuth.")
    name = serializers.CharField()
    client_type = serializers.ChoiceField(Application.CLIENT_TYPES)
    grant_type = serializers.ChoiceField(_GRANTS)
    scopes = serializers.ListField(
        child=serializers.CharField(), source="practitioner_client.scopes", default=None, allow_null=True
    )
    limited_to = serializers.SerializerMethodField(help_text="Null: to nothing.")
    redirect_uris = serializers.ListField(child=serializers.CharField(), source="redirects")
    invitation_url = serializers.CharField(source="organization_client.invitation_url", default=None, allow_null=True)
    organization = OrganizationName(source="organization_client.organization", default=None, allow_null=True)
    studies = StudyName(many=True)

    @extend_schema_field(Limits(allow_null=True))
    def get_limited_to(self, client: Client) -> dict[str, list[int]] | None:
        narrowing = client.practitioner_client.narrowing if client.is_own else None
        if narrowing is None:
            return None
        return {
            "studies": sorted(link.study_id for link in narrowing.study_links.all()),
            "organizations": sorted(link.organization_id for link in narrowing.organization_links.all()),
        }


class NewClientAnswer(ClientAnswer):
    """The only answer that ever has the secret."""

    client_secret = serializers.CharField(allow_null=True, help_text="Of a confidential client; keep it now.")


class ClientChanges(CamelCase):
    aliases = {"organizationId": "organization"}

    name = serializers.CharField(max_length=255)
    organization = ReferenceField(help_text="The organization that looks after it, whose clients you manage.")
    redirect_uris = serializers.ListField(
        child=serializers.CharField(max_length=500), allow_empty=False, max_length=MAX_REDIRECTS
    )
    invitation_url = serializers.CharField(
        required=False, allow_blank=True, max_length=1_000, help_text="Where an invited patient begins; has CODE in it."
    )


class NewClient(ClientChanges):
    client_type = serializers.ChoiceField(
        Application.CLIENT_TYPES, required=False, help_text="confidential: one that can keep a secret."
    )


class NewOwnClient(CamelCase):
    aliases = {"studyIds": "studies", "organizationIds": "organizations"}
    refuses_others = True

    name = serializers.CharField(max_length=255)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=500),
        allow_empty=False,
        max_length=MAX_NAMED,
        help_text="What it may ask for: mcp, system/*.rs, system/Observation.rs?code=…; no more than this token has.",
    )
    studies = IdListField(
        required=False, max_length=MAX_NAMED, help_text="All that it reaches, with the organizations; neither: all."
    )
    organizations = IdListField(required=False, max_length=MAX_NAMED, help_text="With everything that is theirs.")


class NewSecret(CamelCase):
    """The only answer that ever has it."""

    client_id = serializers.CharField()
    client_secret = serializers.CharField(help_text="Keep it now; the one before is worth nothing any more.")


class ClientQuery(PageQuery):
    own = serializers.BooleanField(required=False, help_text="Only one's own, or only others.")
    organization_id = IdField(required=False, help_text="Only clients of this organization.")
    study_id = IdField(required=False, help_text="Only clients that send data for this study.")


class ClientView(RestView):
    def clients(self) -> ClientQuerySet:
        """All, with what an answer needs: which of them the person sees is yet to be asked."""
        studies = Study.objects.visible_to(self.principal).only("id", "name").order_by("pk")
        return Client.objects.select_related(
            "organization_client__organization", "practitioner_client__narrowing"
        ).prefetch_related(
            Prefetch("studies", studies),
            "practitioner_client__narrowing__study_links",
            "practitioner_client__narrowing__organization_links",
        )

    def managed(self, pk: int) -> Client:
        return fetch(Client.objects.select_related("practitioner_client"), pk, self.principal, Permission.TOKEN_MANAGE)

    def made(self, client: Client, secret: str) -> Response:
        """A new client, with the secret that only this answer has."""
        answer = self.render(ClientAnswer, self.clients().get(pk=client.pk))
        return Response({**answer, "clientSecret": secret or None}, status=201, headers={"Cache-Control": "no-store"})

    def body_with_organization(self) -> dict[str, Any]:
        if "organization" not in self.body:
            return self.body
        organizations = Organization.objects.all()
        organization = fetch(organizations, self.body["organization"], self.principal, Permission.TOKEN_MANAGE)
        return {**self.body, "organization": organization}


class ClientList(ClientView):
    @operation("Device.s", query=ClientQuery, answer=ClientAnswer, counted=True)
    def get(self) -> Any:
        given = self.conditions(organization_id="organization_client__organization_id")
        rows = self.clients().visible_to(self.principal).filter(**given)
        self.touched([], study_id=self.query.get("study_id"))
        if "study_id" in self.query:  # of one that the person does not see, none
            seen = Study.objects.visible_to(self.principal).filter(pk=self.query["study_id"])
            rows = rows.filter(study_links__study__in=seen)
        if "own" in self.query:
            rows = rows.filter(practitioner_client__isnull=not self.query["own"])
        return rows

    @operation("Device.c", body=NewClient, answer=NewClientAnswer, status=201)
    def post(self) -> Any:
        client, secret = clients.create_client(actor=self.principal, door=DOOR, **self.body_with_organization())
        return self.made(client, secret)


class OwnClients(ClientView):
    @operation(OWN_CLIENTS, body=NewOwnClient, answer=NewClientAnswer, status=201)
    def post(self) -> Any:
        """A practitioner's own client: it gets tokens by its secret (RFC 6749 §4.4) and acts for its owner."""
        for pk in self.body.get("studies", ()):
            fetch(Study.objects.all(), pk, self.principal)
        for pk in self.body.get("organizations", ()):
            fetch(Organization.objects.all(), pk, self.principal)
        return self.made(*clients.create_own_client(actor=self.principal, door=DOOR, **self.body))


class ClientSecret(ClientView):
    @operation("Device.u", answer=NewSecret)
    def post(self, pk: int) -> Any:
        client = self.managed(pk)
        secret = clients.renew_secret(actor=self.principal, door=DOOR, client=client)
        shown = {"clientId": client.client_id, "clientSecret": secret}
        return Response(shown, headers={"Cache-Control": "no-store"})


class ClientDetail(ClientView):
    @operation("Device.r", answer=ClientAnswer)
    def get(self, pk: int) -> Any:
        return fetch(self.clients(), pk, self.principal)

    @operation("Device.u", body=ClientChanges, answer=ClientAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Device.u", body=ClientChanges, answer=ClientAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Device.d")
    def delete(self, pk: int) -> None:
        clients.delete_client(actor=self.principal, door=DOOR, client=self.managed(pk))

    def _change(self, pk: int) -> Client:
        client, changes = self.managed(pk), self.body_with_organization()
        clients.update_client(actor=self.principal, door=DOOR, client=client, changes=changes)
        return self.clients().get(pk=pk)
