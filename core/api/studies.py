"""/studies, and those of one organization. What belongs to a study is in study_parts.py."""

from typing import Any

from rest_framework import serializers

from core.actions import studies
from core.api.organizations import OrganizationName
from core.api.serializers import CamelCaseModel, IdField, PageQuery, ReferenceField
from core.api.views import DOOR, RestView, operation
from core.models import Organization, Study
from core.models.fetch import fetch
from core.models.study import StudyQuerySet
from core.policy.permissions import Permission


class StudyAnswer(CamelCaseModel):
    organization = OrganizationName()

    class Meta:
        model = Study
        fields = ("id", "name", "description", "icon_url", "organization")


class StudyBody(CamelCaseModel):
    aliases = {"organizationId": "organization"}

    organization = ReferenceField(help_text="The organization that runs it, in which you manage studies.")
    icon_url = serializers.URLField(required=False, allow_blank=True, max_length=200)

    class Meta:
        model = Study
        fields = ("name", "description", "icon_url", "organization")


class StudyQuery(PageQuery):
    organization_id = IdField(required=False, help_text="Only studies of this organization.")
    search = serializers.CharField(required=False, help_text="Only names that contain this.")


class StudyView(RestView):
    def studies(self) -> StudyQuerySet:
        """Those that the person sees, with all that an answer needs."""
        return Study.objects.visible_to(self.principal).select_related("organization")

    def study(self, pk: int, permission: Permission | None = None) -> Study:
        self.touched([], study_id=pk)
        return fetch(Study.objects.select_related("organization"), pk, self.principal, permission)

    def body_with_organization(self) -> dict[str, Any]:
        if "organization" not in self.body:
            return self.body
        organization = fetch(
            Organization.objects.all(), self.body["organization"], self.principal, Permission.STUDY_MANAGE
        )
        return {**self.body, "organization": organization}


class StudyList(StudyView):
    @operation("ResearchStudy.s", query=StudyQuery, answer=StudyAnswer, counted=True)
    def get(self) -> Any:
        given = self.conditions(organization_id="organization_id", search="name__icontains")
        return self.studies().filter(**given)

    @operation("ResearchStudy.c", body=StudyBody, answer=StudyAnswer, status=201)
    def post(self) -> Any:
        return studies.create_study(actor=self.principal, door=DOOR, **self.body_with_organization())


class StudyDetail(StudyView):
    @operation("ResearchStudy.r", answer=StudyAnswer)
    def get(self, pk: int) -> Any:
        return self.study(pk)

    @operation("ResearchStudy.u", body=StudyBody, answer=StudyAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("ResearchStudy.u", body=StudyBody, answer=StudyAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("ResearchStudy.d")
    def delete(self, pk: int) -> None:
        studies.delete_study(actor=self.principal, door=DOOR, study=self.study(pk, Permission.STUDY_MANAGE))

    def _change(self, pk: int) -> Study:
        study, changes = self.study(pk, Permission.STUDY_MANAGE), self.body_with_organization()
        return studies.update_study(actor=self.principal, door=DOOR, study=study, changes=changes)


class OrganizationStudies(StudyView):
    """/organizations/{id}/studies: an organization that the person does not see is no empty page here, but a 404."""

    @operation("ResearchStudy.s", query=PageQuery, answer=StudyAnswer, counted=True)
    def get(self, pk: int) -> Any:
        organization = fetch(Organization.objects.all(), pk, self.principal)
        return self.studies().filter(organization=organization)
