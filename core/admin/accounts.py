"""How people log in, as far as it is anybody else's business: nothing here shows a secret, a code or a key."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django import forms
from django.contrib import admin
from django.http import HttpRequest

from core.actions.sign_up import LIFETIME, MOST_USES, make_sign_up_code
from core.admin.base import DOOR, ExchangeAdmin, ExchangeForm, person
from core.models import SignUpCode, User

# What describes identity providers comes from JHE_SSO, and their tokens are not kept.
admin.site.unregister([SocialApp, SocialToken, SocialAccount, Authenticator, EmailAddress, UserSession])


class EndedHere(ExchangeAdmin):
    """Looked at and deleted, never edited."""

    related: tuple[str, ...] = ("user",)
    list_display_links = ("id", "user")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.related)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EmailAddress)
class EmailAddressAdmin(ExchangeAdmin):
    """Ticking *verified* vouches that the e-mail is its account's owner's."""

    list_display = ("id", "user", "email", "verified")
    list_display_links = ("id", "user")
    list_select_related = ("user",)
    list_filter = ("verified",)
    search_fields = ("email",)
    fields = ("user", "email", "verified")
    readonly_fields = ("user", "email")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Authenticator)
class AuthenticatorAdmin(EndedHere):
    """Deleting one helps somebody who lost it: they log in without, and set up another."""

    list_display = ("id", "user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")


@admin.register(SocialAccount)
class SocialAccountAdmin(EndedHere):
    list_display = ("id", "user", "provider", "uid", "last_login")
    list_filter = ("provider",)
    search_fields = ("user__email", "uid")
    fields = ("user", "provider", "uid", "last_login", "date_joined")


@admin.register(UserSession)
class UserSessionAdmin(EndedHere):
    """Deleting one logs that browser out."""

    list_display = ("id", "user", "ip", "user_agent", "created_at")
    search_fields = ("user__email",)
    fields = ("user", "ip", "user_agent", "created_at")

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        obj.end()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for session in queryset:
            session.end()


@admin.register(AccessAttempt)
class AccessAttemptAdmin(EndedHere):
    """Who failed to log in lately. Deleting a row unlocks."""

    related = ()
    list_display = ("id", "username", "ip_address", "failures_since_start", "attempt_time")
    list_display_links = ("id", "username")
    search_fields = ("username",)
    fields = ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")


class SignUpCodeForm(ExchangeForm):
    uses = forms.IntegerField(min_value=1, max_value=MOST_USES, initial=1, help_text="How many people may use it.")

    class Meta:
        model = SignUpCode
        fields = ("organization", "role", "email")


@admin.register(SignUpCode)
class SignUpCodeAdmin(ExchangeAdmin):
    """The code is shown once, when it is made. Deleting one ends it."""

    form = SignUpCodeForm
    list_display = ("id", "organization", "role", "email", "uses_left", "expires", "maker")
    list_select_related = ("organization", "maker")
    search_fields = ("email",)
    autocomplete_fields = ("organization",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        asked = ("organization", "role", "email")
        return (*asked, "uses_left", "expires", "maker") if obj else (*asked, "uses")

    def save_model(self, request: HttpRequest, obj: SignUpCode, form: Any, change: bool) -> None:
        made, text = make_sign_up_code(
            maker=User.objects.get(pk=person(request).user_id),
            door=DOOR,
            organization=obj.organization,
            role=obj.role,
            email=obj.email,
            uses=form.cleaned_data["uses"],
        )
        obj.pk, obj.expires, obj.maker = made.pk, made.expires, made.maker
        self.message_user(request, f"The code, which is shown only now: {text} (for {LIFETIME.days} days)")
