"""/organizations and all below it."""

from typing import Any

from django.db.models import Prefetch
from rest_framework import serializers

from core.api.serializers import CamelCaseModel, IdField, PageQuery
from core.api.views import RestView, operation
from core.models import Organization
from core.models.fetch import fetch
from core.models.organization import OrganizationQuerySet


class OrganizationName(CamelCaseModel):
    """An organization, briefly."""

    class Meta:
        model = Organization
        fields = ("id", "name", "type")


class OrganizationAnswer(CamelCaseModel):
    """`children` are those that the person may see, `currentUserRole` is what they are in this one."""

    part_of = IdField(source="part_of_id", allow_null=True)
    children = OrganizationName(many=True)
    current_user_role = serializers.CharField(allow_null=True)

    class Meta:
        model = Organization
        fields = ("id", "name", "type", "part_of", "children", "current_user_role")


class OrganizationQuery(PageQuery):
    part_of = IdField(required=False, help_text="Only what is directly part of this organization.")
    search = serializers.CharField(required=False, help_text="Only names that contain this.")
    type = serializers.ChoiceField(Organization.Type.choices, required=False)


class OrganizationView(RestView):
    def organizations(self) -> OrganizationQuerySet:
        """Those that the person sees, with all that an answer needs."""
        seen = Organization.objects.visible_to(self.principal)
        return seen.with_role_of(self.principal).prefetch_related(Prefetch("children", seen.order_by("pk")))


class OrganizationList(OrganizationView):
    @operation("Organization.s", query=OrganizationQuery, answer=OrganizationAnswer, counted=True)
    def get(self) -> Any:
        names = {"part_of": "part_of_id", "search": "name__icontains", "type": "type"}
        return self.organizations().filter(
            **{names[name]: value for name, value in self.query.items() if name in names}
        )


class OrganizationDetail(OrganizationView):
    @operation("Organization.r", answer=OrganizationAnswer)
    def get(self, pk: int) -> Any:
        return fetch(self.organizations(), pk, self.principal)
