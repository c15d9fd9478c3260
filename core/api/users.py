"""/users/profile: who the caller is."""

from typing import Any

import orjson
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.actions.users import update_profile
from core.api.patients import PatientAnswer
from core.api.serializers import CamelCaseModel
from core.api.views import DOOR, RestView, operation
from core.models import PatientAccess, PatientOrganization, User
from core.policy.permissions import Permission
from core.policy.principal import UserType

MAX_SETTINGS_BYTES = 16_384


class ProfileAnswer(CamelCaseModel):
    """`patient` is the caller's own record, null where there is none that the token reads."""

    patient = serializers.SerializerMethodField()
    user_type = serializers.ChoiceField([(type_.value, type_.value) for type_ in UserType])
    settings = serializers.DictField(help_text="What the caller's clients keep for them.")

    class Meta:
        model = User
        fields = ("id", "email", "first_name", "last_name", "patient", "user_type", "is_superuser", "settings")

    @extend_schema_field(PatientAnswer(allow_null=True))
    def get_patient(self, user: Any) -> Any:
        return PatientAnswer(user.patient, context=self.context).data if user.shows_patient else None


class ProfileBody(CamelCaseModel):
    """What people may change of themselves; what else is sent is ignored."""

    settings = serializers.DictField(required=False, help_text="Replaces what was there.")

    class Meta:
        model = User
        fields = ("first_name", "last_name", "settings")

    def validate_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        if len(orjson.dumps(settings)) > MAX_SETTINGS_BYTES:
            raise serializers.ValidationError(f"At most {MAX_SETTINGS_BYTES:,} bytes as JSON: keep less.")
        return settings


class Profile(RestView):
    """A patient's app needs `Patient.r` and `Patient.u` instead of the scopes of a practitioner."""

    @operation("Practitioner.r", answer=ProfileAnswer)
    def get(self) -> User:
        return self._user()

    @operation("Practitioner.u", body=ProfileBody, answer=ProfileAnswer)
    def patch(self) -> User:
        update_profile(actor=self.principal, door=DOOR, changes=self.body)
        return self._user()

    def require_scope(self, resource_type: str, interaction: Any) -> None:
        is_patient = self.principal.user_type is UserType.PATIENT
        super().require_scope("Patient" if is_patient else resource_type, interaction)

    def _user(self) -> User:
        organizations = PatientOrganization.objects.select_related("organization")
        reached = PatientAccess.reaching(self.principal, Permission.PATIENT_READ, patient_id="patient")
        user = (
            User.objects.select_related("practitioner", "patient")
            .annotate(shows_patient=reached)
            .prefetch_related("patient__identifiers", Prefetch("patient__patient_organizations", organizations))
            .get(pk=self.principal.user_id)
        )
        if user.shows_patient:
            self.touched([user.patient.pk])
        return user
