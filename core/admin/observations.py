import json

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from core.admin.base import ExchangeAdmin, LinkInline, PatientDataAdmin, ReadOnly, person
from core.models import (
    CodeableConcept,
    DataSource,
    DataSourceSupportedScope,
    Observation,
    ObservationIdentifier,
)


@admin.register(CodeableConcept)
class CodeAdmin(ExchangeAdmin):
    list_display = ("id", "text", "coding_system", "coding_code")
    list_display_links = ("id", "text")
    search_fields = ("text", "coding_code")

    def why_kept(self, obj: CodeableConcept) -> str:
        if obj.scope_requests.exists() or obj.observations.exists():
            return f"{obj} is requested by a study or has observations."
        return ""


class SupportedScopeInline(LinkInline):
    model = DataSourceSupportedScope
    fk_name = "data_source"
    verbose_name_plural = "supported scopes"
    autocomplete_fields = ("code",)


@admin.register(DataSource)
class DataSourceAdmin(ExchangeAdmin):
    list_display = ("id", "name", "type")
    list_display_links = ("id", "name")
    list_filter = ("type",)
    search_fields = ("name",)
    inlines = (SupportedScopeInline,)

    def why_kept(self, obj: DataSource) -> str:
        return f"{obj} has sent observations." if obj.observation_set.exists() else ""


@admin.register(DataSourceSupportedScope)
class SupportedScopeAdmin(ExchangeAdmin):
    list_display = ("id", "data_source", "code")
    list_select_related = ("data_source", "code")
    search_fields = ("data_source__name", "code__coding_code")
    autocomplete_fields = ("data_source", "code")


class ObservationIdentifierInline(ReadOnly, admin.TabularInline):
    model = ObservationIdentifier
    fields = ("system", "value")


@admin.register(Observation)
class ObservationAdmin(ReadOnly, PatientDataAdmin):
    """Consent gates what a superuser sees too. Lists say that there is a reading; only its own page says what."""

    list_display = ("id", "patient_id", "code", "effective_start", "data_source", "status")
    list_filter = ("code", "status")
    list_select_related = ("code", "data_source")
    search_fields = ("code__coding_code",)
    search_help_text = "The id of a patient, or a part of a code."
    number_fields = ("patient_id",)
    ordering = ("patient_id", "code_id", "-effective_start", "-id")  # along the index obs_time
    inlines = (ObservationIdentifierInline,)
    fields = (
        "patient",
        "code",
        "data_source",
        "status",
        "effective_start",
        "effective_end",
        "utc_offset_minutes",
        "value_quantity",
        "value_unit",
        "last_updated",
        "data_point",
    )
    readonly_fields = ("data_point",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Observation]:
        return Observation.objects.visible_to(person(request)).order_by(*self.ordering)

    @admin.display(description="data point")
    def data_point(self, observation: Observation) -> str:
        return format_html("<pre>{}</pre>", json.dumps(observation.omh_data, indent=2, ensure_ascii=False))


@admin.register(ObservationIdentifier)
class ObservationIdentifierAdmin(ReadOnly, PatientDataAdmin):
    list_display = ("id", "patient_id", "observation_id", "system", "value")
    search_fields = ("value__exact",)
    search_help_text = "The id of a patient, or a whole value."
    number_fields = ("patient_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ObservationIdentifier]:
        visible = Observation.objects.visible_to(person(request)).filter(pk=OuterRef("observation_id"))
        return ObservationIdentifier.objects.filter(Exists(visible)).order_by("-id")
