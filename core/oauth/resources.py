"""The resources that tokens are issued for (RFC 8707): the MCP endpoint, and the web origin with REST and FHIR."""

from collections.abc import Iterable

from django.conf import settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error


def canonical(resources: Iterable[str], request: Request) -> list[str]:
    """The resources asked for, spelled as their servers spell them: clients add or drop a final slash.

    Raises the OAuth error `invalid_target` (RFC 8707 §2) for any other.
    """
    served = {url.removesuffix("/"): url for url in (settings.MCP_URL, settings.BASE_URL)}
    try:
        return list(dict.fromkeys(served[resource.removesuffix("/")] for resource in resources if resource))
    except KeyError:
        raise CustomOAuth2Error(
            error="invalid_target",
            description=f"Tokens are issued for the resources {' and '.join(served.values())}.",
            request=request,
        ) from None


def check_within(granted: list[str], asked: list[str], request: Request) -> None:
    """Raises `invalid_target` for a resource that the person was not asked about: without any, it was this server."""
    if not set(asked) <= set(granted or [settings.BASE_URL]):
        raise CustomOAuth2Error(
            error="invalid_target", description="The grant was not given for this resource.", request=request
        )


def is_for_this_server(_request_uri: str, audiences: list[str]) -> bool:
    """Whether a token with these audiences may be used here. The URL of a request is what its sender says it is."""
    return settings.BASE_URL in audiences
