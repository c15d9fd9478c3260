"""/codes: the kinds of data that studies request and patients consent to."""

from typing import Any

from rest_framework import serializers

from core.api.serializers import CamelCase, CamelCaseModel, IdField, PageQuery
from core.api.views import RestView, operation
from core.models import CodeableConcept
from core.models.fetch import fetch
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


class CodeAnswer(CamelCaseModel):
    """A kind of data."""

    class Meta:
        model = CodeableConcept
        fields = ("id", "coding_system", "coding_code", "text")


class CodeReference(CamelCase):
    """A kind of data, by its id or by its system and code."""

    aliases = {"codeId": "scopeCodeId"}

    scope_code_id = IdField(required=False)
    coding_system = serializers.CharField(required=False, max_length=255)
    coding_code = serializers.CharField(required=False, max_length=255)


def code_of(reference: dict[str, Any], principal: Principal) -> CodeableConcept:
    """The row that a validated CodeReference names. Raises NotVisible, or InvalidInput when it names none."""
    codes = CodeableConcept.objects.all()
    if "scope_code_id" in reference:
        return fetch(codes, reference["scope_code_id"], principal)
    if {"coding_system", "coding_code"} <= reference.keys():
        known = codes.visible_to(principal).filter(**reference).first()
        if known is None:
            raise InvalidInput(f"codingCode: No kind of data {reference['coding_code']} here: see /api/v1/codes.")
        return known
    raise InvalidInput("Name the kind of data: by scopeCodeId, or by codingSystem and codingCode.")


class CodeQuery(PageQuery):
    coding_system = serializers.CharField(required=False, help_text="Only codes of this system.")
    coding_code = serializers.CharField(required=False, help_text="Only this code.")


class CodeList(RestView):
    @operation("Device.s", query=CodeQuery, answer=CodeAnswer, counted=True)
    def get(self) -> Any:
        given = self.conditions(coding_system="coding_system", coding_code="coding_code")
        return CodeableConcept.objects.visible_to(self.principal).filter(**given)


class CodeDetail(RestView):
    @operation("Device.r", answer=CodeAnswer)
    def get(self, pk: int) -> Any:
        return fetch(CodeableConcept.objects.all(), pk, self.principal)
