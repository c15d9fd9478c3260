"""What happened: to be read, never written."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.admin.base import PatientDataAdmin, ReadOnly
from core.models import AuditEvent, ConsentHistory


class DoorFilter(admin.SimpleListFilter):
    """The doors by name: finding out which occur would read the whole trail."""

    title = "door"
    parameter_name = "door"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(door, door) for door in ("rest", "fhir", "mcp", "web", "admin", "command")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(door=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "door", "action", "outcome", "user_id", "study_id", "patient_ids")
    list_filter = (DoorFilter, "outcome")
    search_fields = ("action",)
    search_help_text = "An action, or the id of a user, patient or study."
    ordering = ("-id",)

    def patient_ids_of(self, obj: AuditEvent) -> Iterable[int]:
        return obj.patient_ids

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term.isascii() and search_term.isdigit() and len(search_term) < 19:
            key = int(search_term)
            return queryset.filter(Q(user_id=key) | Q(study_id=key) | Q(patient_ids__contains=[key])), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(ConsentHistory)
class ConsentHistoryAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "recorded", "study_id", "patient_id", "code_id", "before", "after", "user_id", "method")
    search_fields = ("=patient_id", "=study_id")
    ordering = ("-id",)
