from django.contrib import admin

from core.admin.base import ExchangeAdmin
from core.models import Organization, Practitioner, PractitionerOrganization
from core.models.organization import ROOT_ID


class MembershipInline(admin.TabularInline):
    model = PractitionerOrganization
    verbose_name_plural = "roles in organizations"
    autocomplete_fields = ("organization",)
    extra = 0


@admin.register(Organization)
class OrganizationAdmin(ExchangeAdmin):
    list_display = ("id", "name", "type", "part_of")
    list_display_links = ("id", "name")
    list_filter = ("type",)
    list_select_related = ("part_of",)
    search_fields = ("name",)
    autocomplete_fields = ("part_of",)

    def why_kept(self, obj: Organization) -> str:
        if obj.pk == ROOT_ID:
            return f"{obj} is the root of all organizations."
        if obj.patients.exists():
            return f"{obj} has patients: give them to another organization first."
        return ""


@admin.register(Practitioner)
class PractitionerAdmin(ExchangeAdmin):
    list_display = ("id", "name_family", "name_given", "user")
    list_display_links = ("id", "name_family")
    list_select_related = ("user",)
    search_fields = ("name_family", "name_given", "user__email")
    raw_id_fields = ("user",)
    inlines = (MembershipInline,)


@admin.register(PractitionerOrganization)
class MembershipAdmin(ExchangeAdmin):
    list_display = ("id", "practitioner", "organization", "role")
    list_filter = ("role",)
    list_select_related = ("practitioner", "organization")
    search_fields = ("practitioner__name_family", "practitioner__user__email", "organization__name")
    autocomplete_fields = ("practitioner", "organization")
