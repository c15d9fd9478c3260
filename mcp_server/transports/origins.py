"""Which hosts and web pages a request may come by, against DNS rebinding."""

from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings

from mcp_server.settings import HttpService

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def security(settings: HttpService) -> TransportSecuritySettings:
    """Hosts and origins, against DNS rebinding."""
    public = urlsplit(settings.mcp_url)
    return TransportSecuritySettings(
        allowed_hosts=[public.netloc, *_LOOPBACK, *(f"{host}:*" for host in _LOOPBACK)],
        allowed_origins=[
            *web_origins(settings),
            *(f"http://{host}{port}" for host in _LOOPBACK for port in ("", ":*")),
        ],
    )


def web_origins(settings: HttpService) -> list[str]:
    """Whose pages may call from a browser; loopback may besides."""
    public = urlsplit(settings.mcp_url)
    return [f"{public.scheme}://{public.netloc}", settings.issuer, *sorted(settings.allowed_origins)]
