"""Second factors: for whom they are required, what names a passkey, and how their secrets are kept."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from core.derived_keys import derived_keys
from core.models import User
from core.policy.principal import UserType

NEXT = "after_second_factor"
"""In the session: where somebody wanted to go who was sent to set up a second factor."""

_OPEN = (
    "/accounts/2fa/",
    "/accounts/confirm-email/",
    "/accounts/email/",
    "/accounts/logout/",
    "/accounts/password/",
    "/accounts/reauthenticate/",
    "/static/",
)
"""What setting one up takes, and the way out."""


class SecondFactorAdapter(DefaultMFAAdapter):
    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The relying party is this exchange by its public name, whatever a request calls it."""
        return {"id": str(urlsplit(settings.BASE_URL).hostname), "name": settings.MFA_TOTP_ISSUER}

    def encrypt(self, text: str) -> str:
        return _seals().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _seals().decrypt(encrypted_text).decode()


def is_second_factor_required(user: User) -> bool:
    """By JHE_MFA_REQUIRED. Superusers count as practitioners."""
    if settings.SECOND_FACTOR == "superusers":
        return user.is_superuser
    return bool(settings.SECOND_FACTOR == "practitioners") and user.user_type is UserType.PRACTITIONER


class SecondFactorMiddleware:
    """Leads who must have a second factor and has none to set one up, before any other page that knows them.

    Who has one is asked for it while logging in. What comes with a token is not a page, and has no session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SECOND_FACTOR == "none" or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        if request.path.startswith(_OPEN):
            return self.get_response(request)
        if not _lacks_one(request):
            request.session.pop(NEXT, None)
            return self.get_response(request)
        request.session[NEXT] = request.get_full_path() if request.method == "GET" else reverse("home")
        return redirect("mfa_index")


def _lacks_one(request: HttpRequest) -> bool:
    user = request.user
    if not isinstance(user, User) or not is_second_factor_required(user):
        return False
    return not is_mfa_enabled(user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])


def _seals() -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in derived_keys("second factors")])
