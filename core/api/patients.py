"""/patients, and the organizations that each belongs to. What they consented to is in consents.py."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from core.actions import patients
from core.api.serializers import CamelCase, CamelCaseModel, IdField, PageQuery, Query
from core.api.views import DOOR, RestView, operation
from core.models import Organization, Patient, PatientIdentifier, PatientOrganization, StudyPatient, User
from core.models.fetch import fetch
from core.models.patient import PatientQuerySet
from core.policy.errors import InvalidInput, NotVisible
from core.policy.permissions import Permission

MAX_IDENTIFIERS = 100


class IdentifierAnswer(CamelCaseModel):
    class Meta:
        model = PatientIdentifier
        fields = ("id", "system", "value")


class OrganizationOfPatient(CamelCase):
    id = IdField(source="organization_id")
    name = serializers.CharField(source="organization.name")
    type = serializers.ChoiceField(Organization.Type.choices, source="organization.type")


class TextOrNull(serializers.CharField):
    """What the database keeps as an empty text is null on the wire."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, "allow_blank": True, "required": False, **kwargs})

    def get_attribute(self, instance: Any) -> str | None:
        return super().get_attribute(instance) or None


class PatientAnswer(CamelCaseModel):
    """`organizations` are those that the reader works for, or all where the reader is the patient."""

    jhe_user_id = IdField(source="user_id", allow_null=True, help_text="The patient's login; null before there is one.")
    identifiers = IdentifierAnswer(many=True)
    telecom_phone = TextOrNull()
    telecom_email = TextOrNull()
    organizations = OrganizationOfPatient(many=True, source="patient_organizations")

    class Meta:
        model = Patient
        fields = (
            "id",
            "jhe_user_id",
            "identifiers",
            "name_family",
            "name_given",
            "birth_date",
            "gender",
            "telecom_phone",
            "telecom_email",
            "organizations",
        )


class IdentifierBody(CamelCase):
    system = serializers.CharField(max_length=255)
    value = serializers.CharField(max_length=255)


class PatientChanges(CamelCase):
    """What can be changed of a patient; what is left out stays, by PUT too. `identifiers` replaces them all."""

    name_family = serializers.CharField(max_length=255)
    name_given = serializers.CharField(max_length=255)
    birth_date = serializers.DateField(allow_null=True, required=False)
    gender = serializers.ChoiceField(Patient.Gender.choices, required=False)
    telecom_phone = TextOrNull(max_length=64)
    telecom_email = serializers.EmailField(allow_null=True, allow_blank=True, required=False, max_length=254)
    identifiers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=IdentifierBody(), required=False, max_length=MAX_IDENTIFIERS
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("telecom_phone", "telecom_email"):
            if name in attrs:
                attrs[name] = attrs[name] or ""
        if "identifiers" in attrs:
            attrs["identifiers"] = [(one["system"], one["value"]) for one in attrs["identifiers"]]
        return attrs


class NewPatient(PatientChanges):
    """A patient to register. With a `telecomEmail` that a patient of yours has already, that patient is the answer."""

    organizations = serializers.ListField(
        child=IdField(), required=False, max_length=20, help_text="Ids: where the patient is to belong."
    )
    organization_id = IdField(required=False, help_text="The same for one organization.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        chosen = set(attrs.pop("organizations", []))
        if "organization_id" in attrs:
            chosen.add(attrs.pop("organization_id"))
        if not chosen:
            raise serializers.ValidationError({"organizations": "Name one organization at least, by its id."})
        return {**super().validate(attrs), "organizations": sorted(chosen)}


class PatientQuery(PageQuery):
    organization_id = IdField(required=False, help_text="Only patients of this organization.")
    study_id = IdField(required=False, help_text="Only patients enrolled in this study.")
    identifier = serializers.CharField(
        required=False, help_text="Only who has this identifier: `value`, or `system|value`."
    )
    email = serializers.CharField(required=False, help_text="Only who has this e-mail, in any case of letters.")
    name = serializers.CharField(required=False, help_text="Only whose names contain each of these words.")


class LookupQuery(Query):
    email = serializers.CharField(help_text="The whole e-mail, in any case of letters.")


class PatientView(RestView):
    def patients(self) -> PatientQuerySet:
        """All, with what an answer needs: whom of them the person sees is yet to be asked."""
        organizations = PatientOrganization.objects.visible_to(self.principal).select_related("organization")
        return Patient.objects.prefetch_related("identifiers", Prefetch("patient_organizations", organizations))

    def fetch(self, pk: int, permission: Permission | None = None) -> Patient:
        self.touched([pk])
        return fetch(self.patients(), pk, self.principal, permission)

    def seen(self, rows: list[Patient]) -> None:
        self.touched(patient.pk for patient in rows)


class PatientList(PatientView):
    @operation("Patient.s", query=PatientQuery, answer=PatientAnswer)
    def get(self) -> Any:
        found = self.patients().visible_to(self.principal)
        if (organization := self.query.get("organization_id")) is not None:
            belonging = PatientOrganization.objects.visible_to(self.principal).filter(organization=organization)
            found = found.filter(pk__in=belonging.values("patient"))
        if (study := self.query.get("study_id")) is not None:
            self.touched([], study_id=study)
            enrolled = StudyPatient.objects.visible_to(self.principal).filter(study=study)
            found = found.filter(pk__in=enrolled.values("patient"))
        if identifier := self.query.get("identifier"):
            found = found.filter(pk__in=_identified(identifier).values("patient"))
        if email := self.query.get("email"):
            found = found.filter(telecom_email__iexact=email)
        return found.named(self.query.get("name", ""))

    @operation("Patient.c", body=NewPatient, answer=PatientAnswer, status=201)
    def post(self) -> Any:
        ids: list[int] = self.body.pop("organizations")
        organizations = [fetch(Organization.objects.all(), pk, self.principal, Permission.PATIENT_MANAGE) for pk in ids]
        given = {**self.body, "actor": self.principal, "door": DOOR, "organizations": organizations}
        if self.body.get("telecom_email"):
            patient, is_new = patients.find_or_register_patient(**given)
        else:
            patient, is_new = patients.register_patient(**given), True
        return Response(self.render(PatientAnswer, self.fetch(patient.pk)), status=201 if is_new else 200)


class PatientMe(PatientView):
    @operation("Patient.r", answer=PatientAnswer)
    def get(self) -> Any:
        own = self.patients().visible_to(self.principal).filter(user=self.principal.user_id)
        if (patient := own.first()) is None:
            raise NotVisible("You have no patient record here.")
        self.seen([patient])
        return patient


class PatientLookup(PatientView):
    @operation("Patient.s", query=LookupQuery, answer=PatientAnswer, many=True)
    def get(self) -> Any:
        """All patients with this e-mail, in their record or as their login, whom the person sees."""
        email = self.query["email"].strip()
        seen = self.patients().visible_to(self.principal)
        login = User.objects.filter(email=email.lower()).values("pk")
        found = list(seen.filter(telecom_email__iexact=email).union(seen.filter(user__in=login)).order_by("pk"))
        self.seen(found)
        return found


class PatientDetail(PatientView):
    @operation("Patient.r", answer=PatientAnswer)
    def get(self, pk: int) -> Any:
        return self.fetch(pk)

    @operation("Patient.u", body=PatientChanges, answer=PatientAnswer)
    def put(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Patient.u", body=PatientChanges, answer=PatientAnswer)
    def patch(self, pk: int) -> Any:
        return self._change(pk)

    @operation("Patient.d")
    def delete(self, pk: int) -> None:
        patient = self.fetch(pk, Permission.PATIENT_MANAGE)
        patients.delete_patient(actor=self.principal, door=DOOR, patient=patient)

    def _change(self, pk: int) -> Patient:
        patient = self.fetch(pk, Permission.PATIENT_MANAGE)
        identifiers = self.body.pop("identifiers", None)
        patients.update_patient(
            actor=self.principal, door=DOOR, patient=patient, changes=self.body, identifiers=identifiers
        )
        return self.fetch(pk)


class OrganizationMembership(PatientView):
    """PUT: the patient belongs to the organization. DELETE: they do not, nor take part in its studies any more."""

    @operation("Patient.u", answer=PatientAnswer)
    def put(self, pk: int, organization_id: int) -> Any:
        patients.add_to_organization(actor=self.principal, door=DOOR, **self._both(pk, organization_id))
        return self.fetch(pk)

    @operation("Patient.u")
    def delete(self, pk: int, organization_id: int) -> None:
        patients.remove_from_organization(actor=self.principal, door=DOOR, **self._both(pk, organization_id))

    def _both(self, pk: int, organization_id: int) -> dict[str, Any]:
        return {
            "patient": self.fetch(pk, Permission.PATIENT_MANAGE),
            "organization": fetch(
                Organization.objects.all(), organization_id, self.principal, Permission.PATIENT_MANAGE
            ),
        }


def _identified(identifier: str) -> "QuerySet[PatientIdentifier]":
    system, bar, value = identifier.rpartition("|")
    if not value:
        raise InvalidInput("identifier: Send the value, or system|value.")
    found = PatientIdentifier.objects.filter(value=value)
    return found.filter(system=system) if bar else found
