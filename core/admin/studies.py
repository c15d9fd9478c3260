from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from core.actions.consents import record_end_of_scopes
from core.actions.enrolment import check_can_enrol
from core.admin.base import DOOR, ExchangeAdmin, LinkInline, PatientDataAdmin, person
from core.models import (
    ConsentHistory,
    Study,
    StudyClient,
    StudyDataSource,
    StudyPatient,
    StudyPatientScopeConsent,
    StudyScopeRequest,
)


def _end_scopes(request: HttpRequest, scope_requests: Iterable[StudyScopeRequest]) -> None:
    ids = [scope_request.pk for scope_request in scope_requests]
    record_end_of_scopes(actor=person(request), scope_request_ids=ids, door=DOOR)


class ScopeInline(LinkInline):
    model = StudyScopeRequest
    fk_name = "study"
    verbose_name = "requested scope"
    verbose_name_plural = "requested scopes (taking one away ends every consent to it)"
    autocomplete_fields = ("code",)


class DataSourceInline(LinkInline):
    model = StudyDataSource
    fk_name = "study"
    verbose_name_plural = "data sources"
    autocomplete_fields = ("data_source",)


class ClientInline(LinkInline):
    model = StudyClient
    fk_name = "study"
    verbose_name_plural = "OAuth clients that may send data"
    autocomplete_fields = ("client",)


@admin.register(Study)
class StudyAdmin(ExchangeAdmin):
    list_display = ("id", "name", "organization")
    list_display_links = ("id", "name")
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name")
    autocomplete_fields = ("organization",)
    inlines = (ScopeInline, DataSourceInline, ClientInline)

    def why_kept(self, obj: Study) -> str:
        if obj.enrolments.exists() or ConsentHistory.objects.filter(study_id=obj.pk).exists():
            return f"{obj} has or had patients, and their consent history names it."
        return ""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is StudyScopeRequest:
            _end_scopes(request, [form.instance for form in formset.deleted_forms])
        super().save_formset(request, form, formset, change)


@admin.register(StudyPatient)
class EnrolmentAdmin(PatientDataAdmin):
    """Deleting an enrolment withdraws the patient: the consents end, their history and the data stay."""

    list_display = ("id", "study", "patient_id", "enrolled_at")
    list_select_related = ("study", "patient")
    search_fields = ("study__name",)
    number_fields = ("study_id", "patient_id")
    autocomplete_fields = ("study",)
    raw_id_fields = ("patient",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("study", "patient") if obj else ()

    def save_model(self, request: HttpRequest, obj: StudyPatient, form: Any, change: bool) -> None:
        check_can_enrol(patient=obj.patient, study=obj.study)
        super().save_model(request, obj, form, change)


@admin.register(StudyPatientScopeConsent)
class ConsentAdmin(PatientDataAdmin):
    list_display = ("id", "study", "patient_id", "code", "consented", "consented_time")
    list_filter = ("consented",)
    list_select_related = ("study", "patient", "code")
    search_fields = ("study__name",)
    number_fields = ("study_id", "patient_id")
    autocomplete_fields = ("study", "code")
    raw_id_fields = ("patient",)
    fields = ("study", "patient", "code", "consented", "consented_time")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("study", "patient", "code", "consented_time") if obj else ("consented_time",)

    def save_model(self, request: HttpRequest, obj: StudyPatientScopeConsent, form: Any, change: bool) -> None:
        if "consented" in form.changed_data:
            obj.consented_time = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(StudyScopeRequest)
class ScopeRequestAdmin(ExchangeAdmin):
    list_display = ("id", "study", "code")
    list_select_related = ("study", "code")
    search_fields = ("study__name", "code__coding_code")
    autocomplete_fields = ("study", "code")

    def delete_model(self, request: HttpRequest, obj: StudyScopeRequest) -> None:
        _end_scopes(request, [obj])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[StudyScopeRequest]) -> None:
        _end_scopes(request, queryset)
        super().delete_queryset(request, queryset)


@admin.register(StudyDataSource)
class StudyDataSourceAdmin(ExchangeAdmin):
    list_display = ("id", "study", "data_source")
    list_select_related = ("study", "data_source")
    search_fields = ("study__name", "data_source__name")
    autocomplete_fields = ("study", "data_source")


@admin.register(StudyClient)
class StudyClientAdmin(ExchangeAdmin):
    list_display = ("id", "study", "client")
    list_select_related = ("study", "client")
    search_fields = ("study__name", "client__name")
    autocomplete_fields = ("study", "client")
