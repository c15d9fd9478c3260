"""/mcp_tokens: the tokens that people make for agents without a browser, and what a token says of itself."""

from typing import Any

from django.db.models import Prefetch
from rest_framework import serializers
from rest_framework.response import Response

from core.actions import mcp_tokens
from core.api.clients import StudyName
from core.api.organizations import OrganizationName
from core.api.serializers import CamelCase, IdField, IdListField, PageQuery, Query
from core.api.views import DOOR, RestView, operation
from core.models import AuditEvent, AuditReach, McpToken, Organization, Study, User, held
from core.models.fetch import fetch
from core.models.mcp_token import McpTokenQuerySet
from core.policy.claims import MAX_ORGANIZATIONS, MAX_STUDIES
from core.policy.errors import PermissionDenied
from core.policy.mcp_tokens import GRANTABLE
from core.policy.permissions import Permission
from core.policy.principal import UserType

SCOPE = "mcp_tokens"
"""OAuth clients get it by name only. No MCP token has it: none makes, lists or ends another."""


class Maker(CamelCase):
    id = IdField()
    email = serializers.EmailField()


class McpTokenAnswer(CamelCase):
    """`studies` and `organizations` are those named for it that the reader sees. The token itself is nowhere."""

    id = IdField()
    description = serializers.CharField(allow_blank=True)
    user = Maker()
    state = serializers.ChoiceField(McpToken.State.choices)
    everywhere = serializers.SerializerMethodField(help_text="No study or organization was named for it.")
    studies = StudyName(many=True, source="narrowing.studies", default=())
    organizations = OrganizationName(many=True, source="narrowing.organizations", default=())
    permissions = serializers.ListField(child=serializers.CharField(), help_text="What it can do at most.")
    scope = serializers.CharField()
    created = serializers.DateTimeField()
    expires = serializers.DateTimeField()
    revoked = serializers.DateTimeField(allow_null=True)
    last_used = serializers.DateTimeField(allow_null=True, help_text="To the minute.")

    def get_everywhere(self, token: McpToken) -> bool:
        return token.narrowing_id is None


class NewMcpTokenAnswer(McpTokenAnswer):
    """The only answer that ever has the token."""

    token = serializers.CharField(help_text="Keep it now.")


class NewMcpToken(CamelCase):
    aliases = {"studyIds": "studies", "organizationIds": "organizations"}
    refuses_others = True

    description = serializers.CharField(required=False, allow_blank=True, max_length=255)
    ttl = serializers.CharField(
        required=False,
        max_length=40,
        help_text=f"How long, as 30d or 12h, or until when, as 2027-01-31; a year at most ({mcp_tokens.DEFAULT_TTL}).",
    )
    studies = IdListField(required=False, max_length=mcp_tokens.MAX_NAMED, help_text="It is for these.")
    organizations = IdListField(
        required=False, max_length=mcp_tokens.MAX_NAMED, help_text="It is for these, and for their studies."
    )
    permissions = serializers.ListField(
        child=serializers.ChoiceField([permission.value for permission in sorted(GRANTABLE)]),
        required=False,
        help_text="What it can do at most; reading, if none are named.",
    )
    clone = serializers.BooleanField(
        required=False, help_text="Name all that you reach and may do now; what you come to later adds nothing."
    )


class McpTokenUse(CamelCase):
    """An event of the audit trail, without what is not the reader's to know."""

    id = IdField()
    recorded = serializers.DateTimeField()
    door = serializers.CharField()
    action = serializers.CharField()
    outcome = serializers.ChoiceField(AuditEvent.Outcome.choices)
    study_id = IdField(allow_null=True)
    patient_ids = serializers.ListField(child=IdField())
    address = serializers.CharField(source="source", help_text="The address that the request came from.")

    def to_representation(self, event: AuditEvent) -> Any:
        return super().to_representation(event.as_seen_by(self.context["view"].reach))


class IntrospectQuery(Query):
    study_id = IdField(required=False, help_text="403 if the token does not reach this study.")
    organization_id = IdField(required=False, help_text="403 if the token does not reach this organization.")


class OrganizationHeld(CamelCase):
    id = IdField()
    role = serializers.CharField()


class McpTokenSaysAnswer(CamelCase):
    """What a token can do at this moment: never more than its maker can."""

    active = serializers.BooleanField()
    user = IdField()
    user_type = serializers.ChoiceField([(type_.value, type_.value) for type_ in UserType])
    studies = serializers.ListField(child=IdField())
    organizations = OrganizationHeld(many=True)
    truncated = serializers.BooleanField(help_text="There are more studies or organizations: ask for one by its id.")
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Somewhere; or at the study or organization that was asked for."
    )
    scope = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    expires = serializers.DateTimeField()
    last_used = serializers.DateTimeField(allow_null=True)


class McpTokenView(RestView):
    def tokens(self) -> McpTokenQuerySet:
        """All, with what an answer needs: which of them the person sees is yet to be asked."""
        studies = Study.objects.visible_to(self.principal).only("id", "name").order_by("pk")
        organizations = Organization.objects.visible_to(self.principal).only("id", "name", "type").order_by("pk")
        return McpToken.objects.select_related("user", "narrowing").prefetch_related(
            Prefetch("narrowing__studies", studies), Prefetch("narrowing__organizations", organizations)
        )

    def token(self, pk: int) -> McpToken:
        return fetch(self.tokens(), pk, self.principal)


class McpTokenList(McpTokenView):
    @operation(SCOPE, query=PageQuery, answer=McpTokenAnswer, counted=True)
    def get(self) -> Any:
        return self.tokens().visible_to(self.principal)

    @operation(SCOPE, body=NewMcpToken, answer=NewMcpTokenAnswer, status=201)
    def post(self) -> Any:
        permissions = [Permission(value) for value in self.body.pop("permissions", ())]
        user = User.objects.get(pk=self.principal.user_id)
        row, token = mcp_tokens.create_token(
            actor=self.principal, door=DOOR, user=user, permissions=permissions, **self.body
        )
        answer = self.render(McpTokenAnswer, self.tokens().get(pk=row.pk))
        return Response({**answer, "token": token}, status=201, headers={"Cache-Control": "no-store"})


class McpTokenDetail(McpTokenView):
    @operation(SCOPE, answer=McpTokenAnswer)
    def get(self, pk: int) -> McpToken:
        return self.token(pk)

    @operation(SCOPE)
    def delete(self, pk: int) -> None:
        """Ends it and forgets it; the audit trail keeps what it did."""
        mcp_tokens.delete_token(actor=self.principal, door=DOOR, token=self.token(pk))


class McpTokenRevocation(McpTokenView):
    @operation(SCOPE, answer=McpTokenAnswer)
    def post(self, pk: int) -> McpToken:
        """Ends it at once; it stays listed for some time."""
        token = self.token(pk)
        mcp_tokens.revoke_token(actor=self.principal, door=DOOR, token=token)
        return token


class McpTokenUses(McpTokenView):
    """What was done with a token: the part of the audit trail that is the reader's."""

    @operation(SCOPE, query=PageQuery, answer=McpTokenUse)
    def get(self, pk: int) -> Any:
        token = self.token(pk)
        self.reach = AuditReach.of(self.principal)
        return AuditEvent.objects.within(self.reach).through(token.client_id)

    def seen(self, rows: list[Any]) -> None:
        self.touched(patient_id for row in rows for patient_id in row.as_seen_by(self.reach).patient_ids)


class McpTokenIntrospection(RestView):
    """What the bearer, an MCP token, is good for: for services that are shown one and hold no other."""

    @operation("*.r", query=IntrospectQuery, answer=McpTokenSaysAnswer)
    def get(self) -> Any:
        token = McpToken.objects.filter(token_hash=self.principal.token_key).first()
        if token is None:
            raise PermissionDenied("An MCP token says here what it is good for: send one as the bearer.")
        studies = held.studies_held(self.principal, MAX_STUDIES + 1)
        organizations = held.organizations_held(self.principal, MAX_ORGANIZATIONS + 1)
        truncated = len(studies) > MAX_STUDIES or len(organizations) > MAX_ORGANIZATIONS
        if "study_id" in self.query or "organization_id" in self.query:
            roles = self._roles_there()
        elif truncated:
            roles = held.roles_held(self.principal)
        else:
            roles = held.roles_at_no_place(self.principal).union(role for _, role in (*studies, *organizations))
        said = {
            "active": True,
            "user": token.user_id,
            "user_type": self.principal.user_type.value,
            "studies": list(dict.fromkeys(study_id for study_id, _ in studies))[:MAX_STUDIES],
            "organizations": [{"id": id_, "role": role} for id_, role in organizations[:MAX_ORGANIZATIONS]],
            "truncated": truncated,
            "permissions": sorted(held.permissions_held(self.principal, roles)),
            "scope": token.scope,
            "description": token.description,
            "expires": token.expires,
            "last_used": token.last_used,
        }
        return Response(self.render(McpTokenSaysAnswer, said), headers={"Cache-Control": "no-store"})

    def _roles_there(self) -> set[str]:
        """At each place that is asked for. One out of reach is refused, whether there is one or not."""
        there = {"study_id": held.roles_in_study, "organization_id": held.roles_in_organization}
        roles = [there[name](self.principal, id_) for name, id_ in self.query.items()]
        if not all(roles):
            raise PermissionDenied("This token is not for that place.")
        return set.union(*roles)
