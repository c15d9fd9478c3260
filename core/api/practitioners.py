"""/practitioners: the people who work for the caller's organizations."""

from typing import Any

from django.db.models import Prefetch
from rest_framework import serializers

from core.actions import practitioners
from core.api.serializers import CamelCase, CamelCaseModel, IdField, PageQuery, ReferenceField
from core.api.views import DOOR, RestView, operation
from core.models import Organization, Practitioner, PractitionerOrganization
from core.models.fetch import fetch
from core.models.practitioner import PractitionerQuerySet
from core.policy.permissions import Permission
from core.policy.roles import PRACTITIONER_ROLES


class RoleAnswer(CamelCase):
    """An organization, and what the practitioner is in it."""

    id = IdField(source="organization_id")
    name = serializers.CharField(source="organization.name")
    type = serializers.ChoiceField(Organization.Type.choices, source="organization.type")
    role = serializers.ChoiceField([role.code for role in PRACTITIONER_ROLES])


class PractitionerAnswer(CamelCaseModel):
    """`organizations` are those that the reader sees too."""

    jhe_user_id = IdField(source="user_id")
    telecom_email = serializers.EmailField(source="user.email")
    organizations = RoleAnswer(many=True, source="memberships")

    class Meta:
        model = Practitioner
        fields = (
            "id",
            "jhe_user_id",
            "identifier",
            "name_family",
            "name_given",
            "birth_date",
            "telecom_phone",
            "telecom_email",
            "organizations",
        )


class PractitionerChanges(CamelCaseModel):
    class Meta:
        model = Practitioner
        fields: tuple[str, ...] = ("identifier", "name_family", "name_given", "birth_date", "telecom_phone")


class NewPractitioner(PractitionerChanges):
    aliases = {"organizationId": "organization", "email": "telecomEmail"}

    telecom_email = serializers.EmailField(max_length=254, help_text="They log in with it once they have a password.")
    organization = ReferenceField(help_text="Where they work, which you manage.")
    role = serializers.ChoiceField([role.code for role in PRACTITIONER_ROLES])

    class Meta(PractitionerChanges.Meta):
        fields = (*PractitionerChanges.Meta.fields, "telecom_email", "organization", "role")


class PractitionerQuery(PageQuery):
    organization_id = IdField(required=False, help_text="Only who works for this organization.")
    search = serializers.CharField(required=False, help_text="Only whose family name contains this.")


class PractitionerView(RestView):
    def practitioners(self) -> PractitionerQuerySet:
        """All, with what an answer needs: whom of them the person sees is yet to be asked."""
        shared = PractitionerOrganization.objects.filter(
            organization__in=Organization.objects.visible_to(self.principal)
        )
        roles = Prefetch("memberships", shared.select_related("organization"))
        return Practitioner.objects.select_related("user").prefetch_related(roles)

    def managed(self, pk: int) -> Practitioner:
        return fetch(Practitioner.objects.all(), pk, self.principal, Permission.PRACTITIONER_MANAGE)


class PractitionerList(PractitionerView):
    @operation("Practitioner.s", query=PractitionerQuery, answer=PractitionerAnswer, counted=True)
    def get(self) -> Any:
        found = self.practitioners().visible_to(self.principal)
        if (organization := self.query.get("organization_id")) is not None:
            seen = Organization.objects.visible_to(self.principal).filter(pk=organization)
            found = found.filter(
                pk__in=PractitionerOrganization.objects.filter(organization__in=seen).values("practitioner")
            )
        return found.filter(**self.conditions(search="name_family__icontains"))

    @operation("Practitioner.c", body=NewPractitioner, answer=PractitionerAnswer, status=201)
    def post(self) -> Any:
        place = self.body.pop("organization")
        new = practitioners.register_practitioner(
            actor=self.principal,
            door=DOOR,
            organization=fetch(Organization.objects.all(), place, self.principal, Permission.PRACTITIONER_MANAGE),
            role=self.body.pop("role"),
            email=self.body.pop("telecom_email"),
            columns=self.body,
        )
        return fetch(self.practitioners(), new.pk, self.principal)


class PractitionerDetail(PractitionerView):
    @operation("Practitioner.r", answer=PractitionerAnswer)
    def get(self, pk: int) -> Any:
        return fetch(self.practitioners(), pk, self.principal)

    @operation("Practitioner.u", body=PractitionerChanges, answer=PractitionerAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Practitioner.u", body=PractitionerChanges, answer=PractitionerAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Practitioner.d")
    def delete(self, pk: int) -> None:
        practitioners.delete_practitioner(actor=self.principal, door=DOOR, practitioner=self.managed(pk))

    def _change(self, pk: int) -> Practitioner:
        practitioners.update_practitioner(
            actor=self.principal, door=DOOR, practitioner=self.managed(pk), changes=self.body
        )
        return fetch(self.practitioners(), pk, self.principal)
