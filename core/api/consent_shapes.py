"""What is sent and answered at /patients/{id}/consents."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from core.api.codes import CodeAnswer
from core.api.data_sources import DataSourceAnswer
from core.api.organizations import OrganizationName
from core.api.patients import PatientAnswer
from core.api.serializers import CamelCase, CamelCaseModel, IdField
from core.models import Study

CLOCKS_DIFFER_BY = timedelta(minutes=5)


class ScopeConsent(CamelCase):
    """`consented` and its time are null as long as the patient has not answered."""

    code = CodeAnswer()
    consented = serializers.BooleanField(allow_null=True)
    consented_time = serializers.DateTimeField(allow_null=True)


class StudyOfPatient(CamelCaseModel):
    organization = OrganizationName()
    data_sources = DataSourceAnswer(many=True)

    class Meta:
        model = Study
        fields: tuple[str, ...] = ("id", "name", "description", "icon_url", "organization", "data_sources")


class PendingStudy(StudyOfPatient):
    """What of a study the patient has not answered yet."""

    pending_scope_consents = ScopeConsent(many=True)

    class Meta(StudyOfPatient.Meta):
        fields = (*StudyOfPatient.Meta.fields, "pending_scope_consents")


class AnsweredStudy(StudyOfPatient):
    """What of a study the patient has answered, with yes or no."""

    scope_consents = ScopeConsent(many=True)

    class Meta(StudyOfPatient.Meta):
        fields = (*StudyOfPatient.Meta.fields, "scope_consents")


class ConsentsAnswer(CamelCase):
    """A study that is answered in part is in both lists. `consolidatedConsentedScopes` has every yes, once."""

    patient = PatientAnswer()
    consolidated_consented_scopes = CodeAnswer(many=True)
    studies_pending_consent = PendingStudy(many=True)
    studies = AnsweredStudy(many=True)


class Scope(CamelCase):
    coding_system = serializers.CharField()
    coding_code = serializers.CharField()


class Answer(Scope):
    consented = serializers.BooleanField()


class ScopesOfStudy(CamelCase):
    study_id = IdField()
    scope_consents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Scope(), allow_empty=False, max_length=100
    )


class AnswersOfStudy(ScopesOfStudy):
    scope_consents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Answer(), allow_empty=False, max_length=100
    )


class WholeBody(CamelCase):
    method = serializers.CharField(
        required=False, max_length=100, help_text="How the patient said so, such as `paper form`, where not here."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "partial": False})  # of a change too, each answer is sent whole


class AnswersBody(WholeBody):
    study_scope_consents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=AnswersOfStudy(), allow_empty=False, max_length=100
    )
    consented_time = serializers.DateTimeField(required=False, help_text="When the patient said so, if not just now.")

    def validate_consentedTime(self, value: datetime) -> datetime:  # noqa: N802 - DRF calls it by the name on the wire
        if value > timezone.now() + CLOCKS_DIFFER_BY:
            raise serializers.ValidationError("Lies in the future: send when the patient did answer.")
        return value


class TakenBackBody(WholeBody):
    study_scope_consents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ScopesOfStudy(), allow_empty=False, max_length=100
    )
