from collections.abc import Iterable

from django.contrib import admin

from core.actions.patients import why_kept
from core.admin.base import LinkInline, PatientDataAdmin
from core.models import Patient, PatientIdentifier, PatientOrganization


class IdentifierInline(admin.TabularInline):
    model = PatientIdentifier
    extra = 0


class OrganizationInline(LinkInline):
    model = PatientOrganization
    fk_name = "patient"
    verbose_name_plural = "organizations"
    autocomplete_fields = ("organization",)


@admin.register(Patient)
class PatientAdmin(PatientDataAdmin):
    list_display = ("id", "name_family", "name_given", "birth_date", "gender")
    list_display_links = ("id", "name_family")
    list_filter = ("gender",)
    search_fields = ("name_family", "name_given", "telecom_email", "identifiers__value")
    number_fields = ("id", "identifiers__value")
    raw_id_fields = ("user",)
    inlines = (IdentifierInline, OrganizationInline)

    def patient_ids_of(self, obj: Patient) -> Iterable[int]:
        return [obj.pk]

    def why_kept(self, obj: Patient) -> str:
        return why_kept(obj)


@admin.register(PatientIdentifier)
class PatientIdentifierAdmin(PatientDataAdmin):
    list_display = ("id", "patient_id", "system", "value")
    list_select_related = ("patient",)
    search_fields = ("value__exact",)
    number_fields = ("patient_id", "value")
    raw_id_fields = ("patient",)


@admin.register(PatientOrganization)
class PatientOrganizationAdmin(PatientDataAdmin):
    list_display = ("id", "patient_id", "organization")
    list_select_related = ("organization", "patient")
    search_fields = ("organization__name",)
    number_fields = ("patient_id", "organization_id")
    raw_id_fields = ("patient",)
    autocomplete_fields = ("organization",)
