"""Where django-allauth's accounts differ for this exchange."""

import smtplib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse

from core.accounts.lock_out import address_of_client
from core.actions.sign_up import finish_sign_up
from core.models import Setting, User


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP == "invitation")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """A deactivated account is refused like a wrong password; the library would say that it is there."""
        user = super().authenticate(request, **credentials)
        return user if user and user.is_active else None

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Whoever signed up gets their role now, and not before."""
        confirmed = bool(super().confirm_email(request, email_address))
        if confirmed and isinstance(email_address.user, User):
            finish_sign_up(email_address.user)
        return confirmed

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of_client(request)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """At the public address of the exchange, not at whatever host a request named."""
        return settings.BASE_URL + reverse("account_reset_password_from_key", args=key.split("-", 1))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Where the mail server is away, everybody is told so, whoever they say they are."""
        if not settings.CAN_SEND_EMAIL:
            return
        exchange = {"exchange": Setting.all_values()["exchange.name"], "exchange_url": settings.BASE_URL}
        try:
            super().send_mail(template_prefix, email, {**context, **exchange})
        except (smtplib.SMTPException, OSError):
            raise ImmediateHttpResponse(render(self.request, "account/mail_failed.html", status=503)) from None


def may_enter_by_email(user: AbstractBaseUser) -> bool:
    """Whether what is sent to the e-mail of an account may open it.

    Not so for a patient whom only an app's invitation lets in: the e-mail came from a record, and nobody has shown yet
    that it is theirs (docs/adr/0017). A practitioner's account without a password is entered this way for the first
    time.
    """
    assert isinstance(user, User)  # noqa: S101 - AUTH_USER_MODEL
    if user.has_usable_password() or user.is_superuser or hasattr(user, "practitioner"):
        return user.is_active
    return user.is_active and EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()


def request_at_hand() -> HttpRequest:
    request: HttpRequest = context.request
    return request
