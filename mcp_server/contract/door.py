"""What can be asked of an endpoint without a token: is it alive, and does it say where tokens come from?"""

from urllib.parse import urljoin, urlsplit

import httpx2
from mcp.shared.auth_utils import check_resource_allowed

from core.policy.errors import InvalidInput, Unavailable
from mcp_server.auth.discovery import NOTHING, resource_metadata
from mcp_server.contract.report import Broken, Unreachable

_HEALTH = "healthz"


async def health(http: httpx2.AsyncClient, url: str) -> str:
    """`healthz` beside the endpoint or at the root of its host. Raises Unreachable."""
    places = dict.fromkeys((urljoin(url, _HEALTH), urljoin(url, f"/{_HEALTH}")))
    statuses = [(place, (await http.get(place)).status_code) for place in places]
    for place, status in statuses:
        if status == httpx2.codes.OK:
            return f"{place} answers 200"
    raise Unreachable("; ".join(f"{place} answers {status}" for place, status in statuses))


async def challenge(http: httpx2.AsyncClient, url: str) -> str:
    """Is a token asked for, and where does it come from (RFC 6750 §3, RFC 9728 §5)? Raises Unreachable or Broken."""
    headers = {"Accept": "application/json, text/event-stream"}
    async with http.stream("POST", url, headers=headers, json=NOTHING) as response:
        pass  # its head says enough, and an open endpoint may never end its body
    if response.status_code == httpx2.codes.FORBIDDEN or response.is_server_error:
        raise Unreachable(f"without a token it answers {response.status_code}")
    if response.status_code != httpx2.codes.UNAUTHORIZED:
        return "it asks for no token"
    if not response.headers.get("WWW-Authenticate", "").lower().startswith("bearer"):
        raise Broken("401 comes without a WWW-Authenticate header for Bearer (RFC 6750 §3)")
    try:
        metadata = await resource_metadata(http, url)
    except InvalidInput as error:
        raise Broken(f"protected resource metadata (RFC 9728): {error}") from error
    except Unavailable as error:
        raise Unreachable(str(error)) from error
    if not check_resource_allowed(url, str(metadata.resource)):
        raise Broken(f"its metadata are those of another resource, {metadata.resource} (RFC 9728 §3.3)")
    issuers = " ".join(str(server) for server in metadata.authorization_servers)
    return f"401 without a token; tokens come from {issuers}"


def shown(url: str) -> str:
    """Without the query, in which some endpoints want a secret."""
    return urlsplit(url)._replace(query="").geturl()
