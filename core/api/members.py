"""Who works for an organization: /organizations/{id}/users, …/user and …/remove_user."""

from typing import Any

from rest_framework import serializers

from core.actions import organizations
from core.api.serializers import CamelCase, IdField, PageQuery
from core.api.views import DOOR, RestView, operation
from core.models import Organization, PractitionerOrganization
from core.models.fetch import fetch
from core.policy.permissions import Permission
from core.policy.roles import PRACTITIONER_ROLES

_ROLES = [role.code for role in PRACTITIONER_ROLES]


class MemberAnswer(CamelCase):
    """`id` is the user's, as everywhere under users."""

    id = IdField(source="practitioner.user_id")
    practitioner_id = IdField()
    email = serializers.EmailField(source="practitioner.user.email")
    first_name = serializers.CharField(source="practitioner.user.first_name", allow_blank=True)
    last_name = serializers.CharField(source="practitioner.user.last_name", allow_blank=True)
    role = serializers.ChoiceField(_ROLES)


class NewMember(CamelCase):
    """Somebody with an account: a colleague by id, anybody else by e-mail."""

    aliases = {"organizationPartitionerRole": "role", "userId": "jheUserId"}

    jhe_user_id = IdField(required=False)
    email = serializers.EmailField(required=False, max_length=254)
    role = serializers.ChoiceField(_ROLES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("jhe_user_id" in attrs) is ("email" in attrs):
            raise serializers.ValidationError("Name the person once: by jheUserId or by email.")
        return attrs


class FormerMember(CamelCase):
    aliases = {"userId": "jheUserId"}

    jhe_user_id = IdField()


class MemberView(RestView):
    def organization(self, pk: int, permission: Permission) -> Organization:
        return fetch(Organization.objects.all(), pk, self.principal, permission)


class Members(MemberView):
    @operation("Practitioner.s", query=PageQuery, answer=MemberAnswer, counted=True)
    def get(self, pk: int) -> Any:
        organization = self.organization(pk, Permission.PRACTITIONER_READ)
        return PractitionerOrganization.objects.filter(organization=organization).select_related("practitioner__user")


class AddMember(MemberView):
    """Gives a role, or changes the one that the person has."""

    @operation("Practitioner.u", body=NewMember, answer=MemberAnswer)
    def post(self, pk: int) -> Any:
        return organizations.give_role(
            actor=self.principal,
            door=DOOR,
            organization=self.organization(pk, Permission.PRACTITIONER_MANAGE),
            role=self.body["role"],
            user_id=self.body.get("jhe_user_id"),
            email=self.body.get("email"),
        )


class RemoveMember(MemberView):
    @operation("Practitioner.u", body=FormerMember)
    def delete(self, pk: int) -> None:
        organizations.take_role(
            actor=self.principal,
            door=DOOR,
            organization=self.organization(pk, Permission.PRACTITIONER_MANAGE),
            user_id=self.body["jhe_user_id"],
        )
