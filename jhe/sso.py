"""Single sign-on at other identity providers, as JHE_SSO describes them, in the words of django-allauth."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from jhe.described import described

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _reached_safely(url: str) -> str:
    """What is asked there is believed because of TLS (OpenID Connect Core §3.1.3.7, 6)."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must be an https URL")
    return url


def _domain(name: str) -> str:
    if "@" in name or "." not in name:
        raise ValueError("must be a domain such as hospital.example.org")
    return name.lower()


Url = Annotated[str, AfterValidator(_reached_safely)]


class _Provider(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    """Part of the URLs that its administrators enter: /accounts/oidc/<id>/login/callback/, /accounts/saml/<id>/acs/."""
    name: str = Field(min_length=1, max_length=40)
    """What its button says."""
    domains: list[Annotated[str, AfterValidator(_domain)]] = Field(min_length=1)
    """Of the e-mails that it speaks for. All others are refused."""
    sign_up: bool = False
    """Whether people without an account get one, without any role."""
    by_email: bool = False
    """Whether it opens the account that has the e-mail it verified. Otherwise people connect it themselves."""

    def _common(self) -> dict[str, Any]:
        return {"domains": self.domains, "sign_up": self.sign_up, "email_authentication": self.by_email}


class OpenIDProvider(_Provider):
    type: Literal["openid_connect"]
    server_url: Url
    client_id: str
    client_secret: str = ""
    userinfo: bool = False
    """Ask the UserInfo endpoint, for providers whose ID tokens hold no e-mail."""

    def as_app(self) -> dict[str, Any]:
        return {
            "provider_id": self.id,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.client_secret,
            "settings": {**self._common(), "server_url": self.server_url, "fetch_userinfo": self.userinfo},
        }


class SamlProvider(_Provider):
    type: Literal["saml"]
    entity_id: str
    sso_url: Url
    x509cert: str = Field(min_length=100)
    """What it signs with: base64 or PEM."""
    attributes: dict[Literal["uid", "email", "first_name", "last_name"], str] = Field(default_factory=dict)
    """What it calls these; without an entry the usual names, and the NameID as `uid`."""

    def as_app(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            **self._common(),
            "idp": {"entity_id": self.entity_id, "sso_url": self.sso_url, "x509cert": self.x509cert},
            # It speaks for these domains; what it signs of them is verified.
            "verified_email": self.domains,
            "advanced": {
                "strict": True,
                "want_assertion_signed": True,
                "reject_deprecated_algorithm": True,
                "reject_idp_initiated_sso": True,
                "allow_single_label_domains": True,  # https://exchange/ within a campus
                "allow_repeat_attribute_name": False,
            },
        }
        if self.attributes:
            settings["attribute_mapping"] = self.attributes
        return {"provider_id": self.id, "name": self.name, "client_id": self.id, "settings": settings}


_PROVIDERS = TypeAdapter(list[Annotated[OpenIDProvider | SamlProvider, Field(discriminator="type")]])


def providers(said: str) -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS for what JHE_SSO says: a JSON list, or the path of a file that holds one.

    Raises ValueError with a sentence that names what is wrong and repeats no secret.
    """
    listed = described(said, _PROVIDERS)
    if len({provider.id for provider in listed}) < len(listed):
        raise ValueError("two providers have the same id")
    found: dict[str, Any] = {"openid_connect": {"APPS": [], "OAUTH_PKCE_ENABLED": True}, "saml": {"APPS": []}}
    for provider in listed:
        found[provider.type]["APPS"].append(provider.as_app())
    return found
