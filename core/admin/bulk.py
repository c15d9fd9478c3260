"""Exports and imports: who asked for what, and how far it is. Their files are fetched by who asked, and not here."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.base import ExchangeAdmin, PatientDataAdmin, ReadOnly
from core.models import BulkFile, BulkJob


@admin.register(BulkJob)
class BulkJobAdmin(ReadOnly, ExchangeAdmin):
    list_display = ("id", "kind", "user_id", "study_id", "created", "finished", "fault")
    list_filter = ("kind",)
    search_fields = ("client_id",)
    number_fields = ("user_id", "study_id")
    search_help_text = "A client, or the id of a user or study."
    ordering = ("-id",)


@admin.register(BulkFile)
class BulkFileAdmin(ReadOnly, PatientDataAdmin):
    """What it is about, not what it says."""

    list_display = ("id", "job_id", "part", "resource_type", "number", "count")
    list_filter = ("part",)
    search_fields = ("resource_type",)
    number_fields = ("job_id",)
    search_help_text = "A type of resource, or the id of a job."
    exclude = ("content", "keys")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content", "keys")

    def patient_ids_of(self, obj: BulkFile) -> Iterable[int]:
        return obj.patient_ids
