"""What happened: to be read, never written."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.base import PatientDataAdmin, ReadOnly, is_number
from core.models import AuditEvent, ConsentHistory


class DoorFilter(admin.SimpleListFilter):
    """The doors by name: finding out which occur would read the whole trail."""

    title = "door"
    parameter_name = "door"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(door, door) for door in ("rest", "fhir", "mcp", "web", "admin", "command", "import")]

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


@admin.register(ConsentHistory)
class ConsentHistoryAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "study_id", "patient_id", "code_id", "before", "after", "user_id", "method")
    search_fields = ("method",)
    search_help_text = "How it was changed, or the id of a patient, study or user."
    number_fields = ("patient_id", "study_id", "user_id")
    ordering = ("-id",)
