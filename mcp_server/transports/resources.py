"""The protected resources (RFC 9728) that this service is: the wide endpoint at its two doors, and each study's."""

from urllib.parse import urlsplit

from core.policy.sse_endpoints import sse_urls
from core.policy.study_endpoints import study_path
from mcp_server.auth.metadata import Resource
from mcp_server.settings import HttpService


def resources_of(settings: HttpService, scopes: tuple[str, ...]) -> dict[str, Resource]:
    """The endpoint by its path, spelled as it is configured and, after it, as clients who add or drop a final slash do.

    A client may only believe metadata that spell the resource as it does (RFC 9728 §3.3).
    """
    url, bare = settings.mcp_url, settings.mcp_url.rstrip("/")
    spelled = (url, bare, f"{bare}/") if urlsplit(bare).path else (url,)
    return {
        urlsplit(spelling).path or "/": Resource(spelling, url, _servers(settings), scopes)
        for spelling in dict.fromkeys(spelled)
    }


def sse_resource(settings: HttpService, scopes: tuple[str, ...]) -> Resource:
    """HTTP+SSE, by the address of its stream: clients know no other. Its tokens are the endpoint's."""
    url, _ = sse_urls(settings.mcp_url)
    return Resource(url, settings.mcp_url, _servers(settings), scopes)


def study_resource(settings: HttpService, scopes: tuple[str, ...], study_id: int) -> Resource:
    """A study's endpoint, spelled one way. Tokens for the wide one are taken there too: it opens all that this does."""
    public = urlsplit(settings.mcp_url)
    url = f"{public.scheme}://{public.netloc}{study_path(study_id)}"
    return Resource(url, url, _servers(settings), scopes, wider=(settings.mcp_url,))


def _servers(settings: HttpService) -> tuple[str, ...]:
    return tuple(issuer.issuer for issuer in settings.issuers if issuer.access_tokens)
