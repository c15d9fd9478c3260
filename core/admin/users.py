from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from core.actions.emails import end_everything, forget_other_emails
from core.actions.organizations import add_member
from core.admin.base import ExchangeForm, PatientDataAdmin
from core.models import AuditEvent, ConsentHistory, Organization, PractitionerOrganization, User
from core.models.practitioner import ROLE_CHOICES

admin.site.unregister(Group)  # what somebody may do is core/policy's to say


class AddUserForm(ExchangeForm, BaseUserCreationForm):
    """A login and, in the same step, a first membership."""

    organization = forms.ModelChoiceField(
        Organization.objects.all(),
        required=False,
        widget=AutocompleteSelect(PractitionerOrganization._meta.get_field("organization"), admin.site),
        help_text="Makes the person a practitioner of this organization.",
    )
    role = forms.ChoiceField(choices=[("", "---------"), *ROLE_CHOICES], required=False)

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if bool(cleaned.get("organization")) is not bool(cleaned.get("role")):
            self.add_error("role", "Choose both an organization and a role, or neither.")
        return cleaned


class NewPasswordForm(AdminPasswordChangeForm):
    def save(self, commit: bool = True) -> User:
        """Whoever knew the old one, and whatever it let in, is out."""
        user: User = super().save(commit)
        end_everything(user)
        return user


@admin.register(User)
class UserAdmin(PatientDataAdmin, DjangoUserAdmin):
    form = ExchangeForm
    add_form = AddUserForm
    fieldsets = (
        (None, {"fields": ("email", "first_name", "last_name", "set_password")}),
        ("Access", {"fields": ("is_active", "is_superuser", "last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "first_name", "last_name", "password1", "password2")}),
        ("Member of an organization", {"fields": ("organization", "role")}),
    )
    readonly_fields = ("set_password", "last_login", "date_joined")
    filter_horizontal = ()
    list_display = ("id", "email", "first_name", "last_name", "is_active", "is_superuser")
    list_display_links = ("id", "email")
    list_filter = ("is_active", "is_superuser")
    list_select_related = ("patient",)
    search_fields = ("email", "first_name", "last_name")
    ordering = ("id",)

    @admin.display(description="password")
    def set_password(self, user: User) -> str:
        return format_html(
            '<a href="{}">Set a new password</a>', reverse("admin:auth_user_password_change", args=[user.pk])
        )

    def patient_ids_of(self, obj: User) -> Iterable[int]:
        return [obj.patient.pk] if hasattr(obj, "patient") else []

    def why_kept(self, obj: User) -> str:
        if AuditEvent.objects.filter(user_id=obj.pk).exists() or ConsentHistory.objects.filter(user_id=obj.pk).exists():
            return f"{obj} is named in the audit trail: untick 'Is active' instead, which closes every door at once."
        return ""

    change_password_form = NewPasswordForm

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = obj.is_superuser  # one switch: the admin is for superusers
        super().save_model(request, obj, form, change)
        forget_other_emails(obj)
        if not change and form.cleaned_data.get("organization"):
            add_member(user=obj, organization=form.cleaned_data["organization"], role=form.cleaned_data["role"])
