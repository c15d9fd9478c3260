"""What happened: to be read, never written."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.base import ExchangeAdmin, PatientDataAdmin, ReadOnly, is_number, person
from core.models import AuditEvent, AuditSeal, ConsentHistory, Ingest, ResourceHistory
from core.models.audit import DOORS


class DoorFilter(admin.SimpleListFilter):
    """The doors by name: finding out which occur would read the whole trail."""

    title = "door"
    parameter_name = "door"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(door, door) for door in DOORS]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(door=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "door", "action", "outcome", "user_id", "study_id", "patient_ids")
    list_filter = (DoorFilter, "outcome")
    search_fields = ("action",)
    number_fields = ("user_id", "study_id")
    search_help_text = "An action, or the id of a user, patient or study."
    ordering = ("-id",)

    def patient_ids_of(self, obj: AuditEvent) -> Iterable[int]:
        return obj.patient_ids

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if is_number(search_term):
            found |= queryset.filter(patient_ids__contains=[search_term])
        return found, duplicates


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnly, ExchangeAdmin):
    """Tells of no patient: which rows are sealed, not what they say."""

    list_display = ("day", "number", "sealed_at", "row_count", "last_id", "hash")
    list_filter = ("day",)
    search_fields = ("hash__startswith",)
    number_fields = ("number", "last_id")
    search_help_text = "The beginning of a hash, the number of a seal or the id of its last row."
    ordering = ("-id",)


@admin.register(ConsentHistory)
class ConsentHistoryAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "study_id", "patient_id", "code_id", "before", "after", "user_id", "method")
    search_fields = ("method",)
    search_help_text = "How it was changed, or the id of a patient, study or user."
    number_fields = ("patient_id", "study_id", "user_id")
    ordering = ("-id",)


@admin.register(Ingest)
class IngestAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "door", "activity", "user_id", "client_id", "recorded_count", "known_count")
    list_filter = (DoorFilter,)
    search_fields = ("activity",)
    number_fields = ("id", "user_id")
    search_help_text = "An activity, or the id of an ingest or a user."
    ordering = ("-id",)

    def patient_ids_of(self, obj: Ingest) -> Iterable[int]:
        return obj.patient_ids


@admin.register(ResourceHistory)
class ResourceHistoryAdmin(ReadOnly, PatientDataAdmin):
    """Consent gates former observations like those of now."""

    list_display = ("id", "resource_type", "resource_id", "version_id", "last_updated", "ended_at", "user_id")
    search_fields = ("resource_type__exact",)
    number_fields = ("resource_id", "patient_id", "user_id")
    search_help_text = "A kind of resource, like Patient, or the id of a resource, patient or user."
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceHistory]:
        return ResourceHistory.objects.visible_to(person(request)).order_by(*self.ordering)

    def patient_ids_of(self, obj: ResourceHistory) -> Iterable[int]:
        return [] if obj.patient_id is None else [obj.patient_id]
