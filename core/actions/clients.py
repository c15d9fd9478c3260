"""The OAuth client that belongs to the exchange itself."""

from typing import Any

from oauth2_provider.models import Application

STDIO_CLIENT_ID = "jhe-mcp-stdio"
STDIO_REDIRECT_URI = "http://127.0.0.1/callback"


def register_stdio_client(*, application_model: Any = Application) -> None:
    """The public client of `python -m mcp_server stdio`, which runs on people's own computers.

    It has no secret that it could keep, and hears the answer on a loopback address of either kind, on whatever port is
    free (RFC 8252 §7.3; `localhost` is not recommended, §8.3). An existing row stays as an admin left it.
    """
    application_model.objects.get_or_create(
        client_id=STDIO_CLIENT_ID,
        defaults={
            "name": "JupyterHealth MCP on this computer",
            "client_type": Application.CLIENT_PUBLIC,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "redirect_uris": f"{STDIO_REDIRECT_URI} http://[::1]/callback",
            "algorithm": Application.RS256_ALGORITHM,
        },
    )
