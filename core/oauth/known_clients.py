"""Who a client is, in words for the person who is asked: what it calls itself is its own affair."""

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from oauth2_provider.models import Application

from core.actions.clients import STDIO_CLIENT_ID
from core.models import OrganizationClient
from core.oauth.resources import study_in

_MAX_NAME = 80
_OWN = "It belongs to this exchange."
_BY_ADMINISTRATORS = "It was registered by the administrators of this exchange."
_BY_ITSELF = "It registered itself: nobody has checked its name or who made it."


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where an answer goes, as a person knows it."""

    host: str
    is_this_computer: bool

    @classmethod
    def to(cls, uri: str) -> "Redirect":
        parts = urlsplit(uri)
        return cls(parts.netloc, is_this_computer=parts.scheme == "http")


def name_of(client: Application) -> str:
    """Its name without what turns or hides text around it, and no longer than people read."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in client.name)
    shown = " ".join(shown.split()) or client.client_id
    return shown if len(shown) <= _MAX_NAME else f"{shown[: _MAX_NAME - 1]}…"


def how_known(client: Application) -> str:
    """Who vouches for a client, as a sentence."""
    if client.client_id == STDIO_CLIENT_ID:
        return _OWN
    if client.registration_source == Application.RegistrationSource.CIMD:
        host = urlsplit(client.client_id).netloc
        return f"It is known by what {host} says about it: nobody else has checked its name."
    if client.registration_source == Application.RegistrationSource.DCR:
        return _BY_ITSELF
    link = OrganizationClient.objects.select_related("organization").filter(application=client).first()
    return f"It was registered by {link.organization.name}." if link else _BY_ADMINISTRATORS


def names_of(resources: list[str]) -> list[str]:
    """Which of the exchange's doors the resources (RFC 8707) are; without any it is REST and FHIR."""
    return [_name_of(resource) for resource in resources or [settings.BASE_URL]]


def _name_of(resource: str) -> str:
    if resource == settings.BASE_URL:
        return "REST and FHIR, for programs"
    study_id = study_in(resource)
    return "MCP, for AI assistants" + ("" if study_id is None else f", within the study {study_id} alone")
