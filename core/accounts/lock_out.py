"""Who guesses too often is locked out, by django-axes: an account for one address, and an address for every account.

Passwords pass through it by themselves. One-time codes are asked about and counted here, with and without an account
behind the e-mail, so that being locked out says nothing about who has one.
"""

from collections.abc import Mapping
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.db.models import Sum
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.policy.source import address_of

_LONGEST = AccessAttempt._meta.get_field("username").max_length


def account_of(_request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """The e-mail that somebody claims, spelt in one way."""
    said = (credentials or {}).get("email") or ""
    return str(said).strip().lower().replace("\0", "")[:_LONGEST]


def address_of_client(request: HttpRequest) -> str:
    """Where a request comes from: what the proxy says, in its own header, or the address of the connection."""
    return address_of(request.META.get(settings.CLIENT_IP, "")) or address_of(request.META.get("REMOTE_ADDR", ""))


def locked_out(request: HttpRequest, _response: HttpResponse | None, _credentials: object) -> HttpResponse:
    """The page of who is locked out, the same whether there is such an account or not."""
    return render(request, "account/locked_out.html", {"minutes": settings.AXES_COOLOFF_TIME.seconds // 60}, status=429)


def refuse_if_locked_out(request: HttpRequest, email: str) -> None:
    """Raises ImmediateHttpResponse, which becomes the page of who is locked out."""
    if not AxesProxyHandler.is_allowed(request, get_credentials(email=email)):
        raise ImmediateHttpResponse(locked_out(request, None, None))


def count_wrong_guess(request: HttpRequest, email: str) -> None:
    user_login_failed.send(sender=__name__, credentials={"email": email}, request=request)


class Handler(AxesDatabaseHandler):
    """Two limits: colleagues share an address, so it takes more failures than an account."""

    def get_failures(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        """As many as the account has from this address, or what the address has, in the account's measure."""
        of_account, of_address = (
            attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0
            for attempts in self.get_user_attempts(request, credentials)
        )
        return int(max(of_account, of_address * settings.LOCK_OUT_AFTER // settings.LOCK_OUT_ADDRESS_AFTER))

    def reset_user_attempts(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        """A login forgives the failures of its own account: not those that the address had with others."""
        forgiven, _ = self.filter_user_attempts(request, credentials)[0].delete()
        return int(forgiven)


@receiver(pre_save, sender=AccessAttempt)
def _keep_nothing_that_was_sent(instance: AccessAttempt, **_: object) -> None:
    """The library would keep what stood in the query and in the form."""
    instance.get_data = instance.post_data = instance.http_accept = ""
    instance.path_info = ""
