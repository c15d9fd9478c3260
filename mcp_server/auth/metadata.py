"""What this resource is and where its tokens come from (RFC 9728)."""

from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response

from mcp_server.auth.verifier import SCOPE

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def metadata_url(resource: str) -> str:
    """RFC 9728 §3.1: the well-known path goes between the host and the path of the resource."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def metadata_routes(resource: str, issuer: str) -> list[Route]:
    """The document, at the path that RFC 9728 derives and at the root, where some clients look only."""
    document = {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": "JupyterHealth Exchange",
    }

    async def show(_: Request) -> Response:
        return JSONResponse(document, headers={"Cache-Control": "max-age=300"})

    endpoint = CORSMiddleware(request_response(show), allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])
    paths = dict.fromkeys([urlsplit(metadata_url(resource)).path, WELL_KNOWN])
    return [Route(path, endpoint, methods=["GET", "OPTIONS"]) for path in paths]
