"""/organizations and their tree. Who works for one is in members.py, its studies in studies.py."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.helpers import lazy_serializer
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from core.actions import organizations
from core.api.serializers import CamelCaseModel, IdField, PageQuery, ReferenceField
from core.api.views import DOOR, RestView, operation
from core.models import Organization
from core.models.fetch import fetch
from core.models.organization import OrganizationQuerySet
from core.policy.permissions import Permission
from core.policy.roles import PRACTITIONER_ROLES, SUPERUSER

MAX_LEVELS = 32
"""So deep an answer shows the tree below an organization; more levels have an answer of their own."""


class OrganizationName(CamelCaseModel):
    """An organization, briefly."""

    class Meta:
        model = Organization
        fields = ("id", "name", "type")


TypesAnswer = type(
    "TypesAnswer", (serializers.Serializer,), {code: serializers.CharField() for code in Organization.Type.values}
)
"""The name of each type, by its code: `{"prov": "Healthcare Provider", …}`."""


class OrganizationBase(CamelCaseModel):
    part_of = IdField(source="part_of_id", allow_null=True)
    current_user_role = serializers.ChoiceField([role.code for role in (*PRACTITIONER_ROLES, SUPERUSER)])

    class Meta:
        model = Organization
        fields: tuple[str, ...] = ("id", "name", "type", "part_of", "current_user_role")


class OrganizationAnswer(OrganizationBase):
    """`children` are those that the person may see, `currentUserRole` is what they are in this one."""

    children = OrganizationName(many=True)

    class Meta(OrganizationBase.Meta):
        fields = (*OrganizationBase.Meta.fields, "children")


class OrganizationTree(OrganizationBase):
    """An organization with all that the person may see below it, for as long as they see what is in between."""

    children = serializers.SerializerMethodField()

    class Meta(OrganizationBase.Meta):
        fields = (*OrganizationBase.Meta.fields, "children")

    @extend_schema_field(lazy_serializer("core.api.organizations.OrganizationTree")(many=True))
    def get_children(self, organization: Organization) -> list[Any]:
        level = self.context.get("level", 0) + 1
        below = self.context["below"].get(organization.pk, []) if level < MAX_LEVELS else []
        context = {**self.context, "level": level}
        return [OrganizationTree(child, context=context).data for child in below]


class OrganizationQuery(PageQuery):
    part_of = IdField(required=False, help_text="Only what is directly part of this organization.")
    search = serializers.CharField(required=False, help_text="Only names that contain this.")
    type = serializers.ChoiceField(Organization.Type.choices, required=False)


class OrganizationBody(CamelCaseModel):
    part_of = ReferenceField(help_text="The organization above, which you manage.")

    class Meta:
        model = Organization
        fields = ("name", "type", "part_of")


class OrganizationView(RestView):
    def organizations(self) -> OrganizationQuerySet:
        """Those that the person sees, with all that an answer needs."""
        seen = Organization.objects.visible_to(self.principal).with_role_of(self.principal)
        return seen.prefetch_related(Prefetch("children", Organization.objects.visible_to(self.principal)))

    def managed(self, pk: int) -> Organization:
        return fetch(Organization.objects.all(), pk, self.principal, Permission.ORGANIZATION_MANAGE)

    def body_with_parent(self) -> dict[str, Any]:
        above = {"part_of": self.managed(self.body["part_of"])} if "part_of" in self.body else {}
        return {**self.body, **above}


class OrganizationList(OrganizationView):
    @operation("Organization.s", query=OrganizationQuery, answer=OrganizationAnswer, counted=True)
    def get(self) -> Any:
        given = self.conditions(part_of="part_of_id", search="name__icontains", type="type")
        return self.organizations().filter(**given)

    @operation("Organization.c", body=OrganizationBody, answer=OrganizationAnswer, status=201)
    def post(self) -> Any:
        new = organizations.create_organization(actor=self.principal, door=DOOR, **self.body_with_parent())
        return fetch(self.organizations(), new.pk, self.principal)


class OrganizationDetail(OrganizationView):
    @operation("Organization.r", answer=OrganizationAnswer)
    def get(self, pk: int) -> Any:
        return fetch(self.organizations(), pk, self.principal)

    @operation("Organization.u", body=OrganizationBody, answer=OrganizationAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Organization.u", body=OrganizationBody, answer=OrganizationAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Organization.d")
    def delete(self, pk: int) -> None:
        organizations.delete_organization(actor=self.principal, door=DOOR, organization=self.managed(pk))

    def _change(self, pk: int) -> Organization:
        organization, changes = self.managed(pk), self.body_with_parent()
        organizations.update_organization(actor=self.principal, door=DOOR, organization=organization, changes=changes)
        return fetch(self.organizations(), pk, self.principal)


class OrganizationTypes(RestView):
    @operation("Organization.r", answer=TypesAnswer)
    def get(self) -> Any:
        return dict(Organization.Type.choices)


class OrganizationTreeView(OrganizationView):
    @operation("Organization.r", answer=OrganizationTree)
    def get(self, pk: int) -> Any:
        top = fetch(Organization.objects.all().with_role_of(self.principal), pk, self.principal)
        below: dict[int | None, list[Organization]] = {}
        for organization in Organization.objects.visible_to(self.principal).with_role_of(self.principal):
            below.setdefault(organization.part_of_id, []).append(organization)
        return Response(OrganizationTree(top, context={"below": below}).data)
