"""What a protected resource is and where its tokens come from (RFC 9728)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, request_response

from core.policy.study_endpoints import study_of

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """An endpoint that takes bearer tokens. Nothing of it comes from a request's headers."""

    url: str
    """As its clients spell it: with a final slash and without, it is two resources to them (RFC 9728 §3.3)."""
    audience: str
    """As its tokens spell it: the authorization server knows one spelling (RFC 8707)."""
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...]
    wider: tuple[str, ...] = ()
    """Resources whose tokens are taken here too, because what they open includes this one."""
    name: str = "JupyterHealth Exchange"

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.audience, *self.wider)

    @property
    def metadata_url(self) -> str:
        """RFC 9728 §3.1: the well-known path goes between the host and the path of the resource."""
        parts = urlsplit(self.url)
        path = "" if parts.path == "/" else parts.path
        return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{path}"

    @property
    def document(self) -> Mapping[str, Any]:
        """RFC 9728 §2."""
        return {
            "resource": self.url,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
        }


def metadata_route(path: str, resource: Resource) -> Route:
    """The resource's document, for everybody and for pages of every origin."""
    return _route(path, lambda _: resource)


def study_metadata_route(resource_of: Callable[[int], Resource]) -> Route:
    """The documents of all studies' endpoints: whether there is such a study is not for these to say."""

    def asked(request: Request) -> Resource | None:
        study_id = study_of(request.scope["raw_path"].decode("latin-1").removeprefix(WELL_KNOWN))
        return None if study_id is None else resource_of(study_id)

    return _route(f"{WELL_KNOWN}/studies/{{study}}/mcp", asked)


def _route(path: str, asked: Callable[[Request], Resource | None]) -> Route:
    async def show(request: Request) -> Response:
        resource = asked(request)
        if resource is None:
            return PlainTextResponse("Not Found", 404)
        return JSONResponse(resource.document, headers={"Cache-Control": "max-age=300"})

    endpoint = CORSMiddleware(request_response(show), allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])
    return Route(path, endpoint, methods=["GET", "OPTIONS"])


def metadata_routes(main: Resource, *others: Resource) -> list[Route]:
    """Each document at the path that RFC 9728 derives, and `main`'s at the root, where some clients look only."""
    paths = {urlsplit(resource.metadata_url).path: resource for resource in (*others, main)}
    return [metadata_route(path, resource) for path, resource in {WELL_KNOWN: main, **paths}.items()]
