"""Single sign-on (JHE_SSO): whose word an identity provider is believed, and which account it opens."""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.http import HttpRequest
from django.shortcuts import render


class SsoAdapter(DefaultSocialAccountAdapter):
    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuses an e-mail that the provider has not verified or does not speak for; also of who is known already."""
        emails = sociallogin.email_addresses
        if not emails or not all(email.verified is True and _speaks_for(sociallogin, email.email) for email in emails):
            self._refuse(request, "It did not say that you own an e-mail of a domain that it speaks for.")
        if not _is_one_person(sociallogin):
            self._refuse(request, "What it says of you does not fit together.")

    def is_open_for_signup(self, _request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return bool(_app_settings(sociallogin).get("sign_up"))

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        return bool(_app_settings(login).get("email_authentication")) and _speaks_for(login, email)

    def _refuse(self, request: HttpRequest, why: str) -> None:
        raise ImmediateHttpResponse(render(request, "socialaccount/refused.html", {"why": why}, status=403))


def _app_settings(login: SocialLogin) -> dict[str, Any]:
    settings: dict[str, Any] = login.provider.app.settings
    return settings


def _speaks_for(login: SocialLogin, email: str) -> bool:
    return email.rpartition("@")[2].lower() in _app_settings(login).get("domains", [])


def _is_one_person(login: SocialLogin) -> bool:
    """The UserInfo response is the ID token's person's (OpenID Connect Core §5.3.2)."""
    said = login.account.extra_data
    if isinstance(said, dict) and "userinfo" in said:
        return bool(said["userinfo"].get("sub") == said.get("id_token", {}).get("sub"))
    return True
