"""The device flow (RFC 8628): a program without a browser shows a code, which its person enters on another machine."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import Application, DeviceGrant, RefreshToken
from oauthlib.common import Request
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from core.actions.client_consents import Reach, family_of, give, standing
from core.actions.clients import STDIO_CLIENT_ID
from core.models import DeviceRequest, OrganizationClient, User
from core.oauth.consents import narrowed
from core.oauth.scope_parts import keeps_connected

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_LENGTH = 8
_KEPT = timedelta(hours=1)
_SLOWER = 5


def user_code() -> str:
    """RFC 8628 §6.1: without vowels, so that it spells nothing; 34 bits, for half an hour and few guesses."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))


def shown(code: str) -> str:
    """In two halves, as people copy it: `WDJB-MJHT`."""
    return f"{code[: _CODE_LENGTH // 2]}-{code[_CODE_LENGTH // 2 :]}"


def entered(text: str) -> str:
    """What somebody typed, as codes are kept: case, dashes and spaces make no difference."""
    return "".join(letter for letter in text.upper() if letter in _LETTERS)


def may_ask(client: Application) -> bool:
    """The exchange's own client, and those of organizations that a superuser lets."""
    if client.client_id == STDIO_CLIENT_ID:
        return True
    return OrganizationClient.objects.filter(application=client, device_flow=True).exists()


@transaction.atomic
def begin(client: Application, codes: dict[str, Any], scopes: Sequence[str], resources: Sequence[str]) -> None:
    """Keep what a device asks for until its person answers. Whose time was over long ago is forgotten."""
    now = timezone.now()
    DeviceGrant.objects.filter(expires__lt=now - _KEPT).delete()
    grant = DeviceGrant.objects.create(
        client_id=client.client_id,
        device_code=codes["device_code"],
        user_code=codes["user_code"],
        scope=" ".join(scopes),
        interval=codes["interval"],
        expires=now + timedelta(seconds=codes["expires_in"]),
    )
    DeviceRequest.objects.create(device_grant=grant, resource=list(resources))
    # The library's column is set at each save. It may ask at once; only then it has to wait.
    DeviceGrant.objects.filter(pk=grant.pk).update(last_checked=now - timedelta(seconds=grant.interval))


def waiting(code: str) -> DeviceGrant | None:
    """The request with this user code that waits for its person. Locked, within the caller's transaction."""
    rows = DeviceGrant.objects.select_for_update(of=("self",)).select_related("request")
    return rows.filter(
        user_code=code, status=DeviceGrant.AUTHORIZATION_PENDING, expires__gt=timezone.now(), request__isnull=False
    ).first()


def allow(
    grant: DeviceGrant,
    *,
    user: User,
    client: Application,
    scopes: Sequence[str],
    reach: Reach,
    authenticated: datetime,
) -> None:
    """The person lets the device's program act for them. It hears of it when it asks next."""
    give(
        user=user,
        application=client,
        code=grant.device_code,
        scope=" ".join(scopes),
        resource=grant.request.resource,
        narrowing=narrowed(user, scopes, reach),
        authenticated=authenticated,
        refreshes=keeps_connected(grant.scope.split(), scopes),
    )
    grant.status, grant.user, grant.scope = DeviceGrant.AUTHORIZED, user, " ".join(scopes)
    grant.save(update_fields=["status", "user", "scope"])


def deny(grant: DeviceGrant) -> None:
    grant.status = DeviceGrant.DENIED
    grant.save(update_fields=["status"])


def poll(code: str, request: Request) -> str | None:
    """What a device hears when it asks for its tokens (RFC 8628 §3.5), as oauthlib's `validate_device_code` wants it.

    A code gives tokens once, and to the client that it was made for: then it is gone. One that comes again ends them.
    """
    grant = DeviceGrant.objects.select_for_update().filter(device_code=code, client_id=request.client.client_id).first()
    if grant is None:
        RefreshToken.revoke_family(family_of(code))
        return None
    if grant.status == DeviceGrant.DENIED:
        return DeviceCodeGrant.DEVICE_CODE_DENIED
    if timezone.now() >= grant.expires:
        return DeviceCodeGrant.DEVICE_CODE_EXPIRED
    if grant.status == DeviceGrant.AUTHORIZED:
        return _authorized(grant, request)
    return _pending(grant)


def _pending(grant: DeviceGrant) -> str:
    is_early = timezone.now() < grant.last_checked + timedelta(seconds=grant.interval)
    if is_early:
        grant.interval += _SLOWER
    grant.save(update_fields=["interval", "last_checked"])
    return DeviceCodeGrant.DEVICE_CODE_SLOW_DOWN if is_early else DeviceCodeGrant.DEVICE_CODE_PENDING


def _authorized(grant: DeviceGrant, request: Request) -> str | None:
    consent = standing(family_of(grant.device_code), request.client)
    grant.delete()
    if consent is None or not consent.user.is_active:
        return None
    request.consent, request.user, request.scopes = consent, consent.user, consent.scope.split()
    return DeviceCodeGrant.DEVICE_CODE_AUTHORIZED
