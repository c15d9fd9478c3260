"""The resources that tokens are issued for (RFC 8707): the MCP endpoint, the narrower ones for a single study each, and
the web origin with REST and FHIR."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from core.policy.sse_endpoints import sse_urls
from core.policy.study_endpoints import study_of


def canonical(resources: Iterable[str], request: Request) -> list[str]:
    """The resources asked for, spelled as their servers spell them: clients add or drop a final slash, and
    those of HTTP+SSE name the address that they know, which is another door of the same endpoint.

    Raises the OAuth error `invalid_target` (RFC 8707 §2) for any other. A study's endpoint is one whether there is such
    a study or not: the token opens what its person reaches there.
    """
    try:
        return list(dict.fromkeys(_canonical(resource) for resource in resources if resource))
    except KeyError:
        raise CustomOAuth2Error(
            error="invalid_target",
            description=f"Tokens are issued for the resources {settings.MCP_URL}, {settings.BASE_URL} and "
            f"{_mcp_origin()}/studies/(id)/mcp.",
            request=request,
        ) from None


def study_in(resource: str) -> int | None:
    """The study whose MCP endpoint this is; None for every other resource."""
    origin = _mcp_origin()
    return study_of(resource.removeprefix(origin)) if resource.startswith(f"{origin}/") else None


def studies_alone(resources: Iterable[str]) -> list[int] | None:
    """The studies whose MCP endpoints these are; None where there is another resource among them, or none at all."""
    studies = [study_in(resource) for resource in resources]
    named = [study for study in studies if study is not None]
    return named if named and len(named) == len(studies) else None


def is_for_mcp(resource: str) -> bool:
    """Whether the MCP server is who reads the token."""
    return resource == settings.MCP_URL or study_in(resource) is not None


def check_within(granted: list[str], asked: list[str], request: Request) -> None:
    """Raises `invalid_target` for a resource that the person was not asked about: without any, it was this server."""
    if not set(asked) <= set(granted or [settings.BASE_URL]):
        raise CustomOAuth2Error(
            error="invalid_target", description="The grant was not given for this resource.", request=request
        )


def is_for_this_server(_request_uri: str, audiences: list[str]) -> bool:
    """Whether a token with these audiences may be used here. The URL of a request is what its sender says it is."""
    return settings.BASE_URL in audiences


def _canonical(resource: str) -> str:
    bare = resource.removesuffix("/")
    if study_in(bare) is not None:
        return bare
    if bare == sse_urls(settings.MCP_URL)[0]:
        return settings.MCP_URL
    return {url.removesuffix("/"): url for url in (settings.MCP_URL, settings.BASE_URL)}[bare]


def _mcp_origin() -> str:
    public = urlsplit(settings.MCP_URL)
    return f"{public.scheme}://{public.netloc}"
