"""Logging in on another device, for machines without a browser: the client's side of RFC 8628."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE
from pydantic import AnyHttpUrl, BaseModel, Field, ValidationError

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth.prompt import Prompt

_LONGEST_SECONDS = 1800
_SLOWER_SECONDS = 5
"""RFC 8628 §3.5."""

Sleep = Callable[[float], Awaitable[None]]


class DeviceAuthorization(BaseModel):
    """RFC 8628 §3.2. Whoever has the device code has the login: it is shown to nobody."""

    device_code: str = Field(repr=False)
    user_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,32}$")]
    verification_uri: AnyHttpUrl
    verification_uri_complete: AnyHttpUrl | None = None
    expires_in: Annotated[float, Field(gt=0)]
    interval: Annotated[float, Field(ge=1, le=120)] = 5

    @property
    def prompt(self) -> Prompt:
        return Prompt(str(self.verification_uri_complete or self.verification_uri), self.user_code)


async def authorization(client: AsyncOAuth2Client, endpoint: str, **asked: str) -> DeviceAuthorization:
    """Ask for a code (§3.1). Raises NotAuthenticated when the server refuses, Unavailable when it makes no sense."""
    form = {"client_id": client.client_id, **asked}
    response = await client.request("POST", endpoint, data=form, withhold_token=True)
    if response.status_code in (httpx2.codes.BAD_REQUEST, httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
        raise NotAuthenticated("The exchange does not let this program log in on another device.")
    try:
        response.raise_for_status()
        return DeviceAuthorization.model_validate_json(response.content)
    except (httpx2.HTTPStatusError, ValidationError):
        raise Unavailable("The exchange gave an answer that is none: try again in a minute.") from None


async def tokens(
    client: AsyncOAuth2Client,
    endpoint: str,
    given: DeviceAuthorization,
    sleep: Sleep = asyncio.sleep,
    **asked: str,
) -> dict[str, Any]:
    """Ask until the person has answered (§3.4, §3.5). Raises authlib's OAuthError when they said no or did not come."""
    interval, until = given.interval, time.monotonic() + min(given.expires_in, _LONGEST_SECONDS)
    while time.monotonic() < until:
        await sleep(interval)
        try:
            answer = await client.fetch_token(
                endpoint, grant_type=DEVICE_CODE_GRANT_TYPE, device_code=given.device_code, scope=None, **asked
            )
        except OAuthError as error:
            if error.error not in ("authorization_pending", "slow_down"):
                raise
            interval += _SLOWER_SECONDS if error.error == "slow_down" else 0
        except httpx2.TransportError:
            interval *= 2
        else:
            return dict(answer)
    raise OAuthError("expired_token")
