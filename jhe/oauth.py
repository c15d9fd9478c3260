"""How django-oauth-toolkit is configured: the authorization server of `core/oauth`."""

from typing import Any

from jhe import development, env

SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay connected without asking you again, until it has not been used for 30 days",
    "patient/*.rs": "Read your own health data",
    "patient/*.cruds": "Read your own health data, add to it, and answer what studies ask for",
    "user/*.rs": "Read, on your behalf, the studies, people and health data that you may see",
    "user/*.cruds": "Read and change, on your behalf, what you may see and change",
    "mcp_tokens": (
        "Make, see and revoke MCP tokens, which act on your behalf for as long as a year: also after you have "
        "disconnected this application"
    ),
    "mcp": "Let an AI assistant read, on your behalf, the studies and health data that you may see",
}
"""What a client may ask for, each in the words of the consent page; core/oauth/scopes.py adds what names one type."""

_HOUR = 3600
LONGEST_TOKEN_SECONDS = 14 * 24 * _HOUR
"""No signed token lives longer; a key that signs no more is published for as long."""
_CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post", "none"]

OAUTH2_PROVIDER: dict[str, Any] = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": env.BASE_URL,
    "OIDC_RSA_PRIVATE_KEY": development.signing_key(),
    "OAUTH2_VALIDATOR_CLASS": "core.oauth.validator.Validator",
    "ACCESS_TOKEN_GENERATOR": "core.oauth.tokens.access_token",
    # Named, because oauthlib would otherwise use the line above for refresh tokens too.
    "REFRESH_TOKEN_GENERATOR": "oauthlib.oauth2.rfc6749.tokens.random_token_generator",
    "RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR": "core.oauth.resources.is_for_this_server",
    "CLIENT_SECRET_HASHER": "machine_hmac_sha256",
    "SCOPES": SCOPES,
    "SCOPES_BACKEND_CLASS": "core.oauth.scopes.Scopes",
    "DEFAULT_SCOPES": ["openid", "mcp"],
    "ACCESS_TOKEN_EXPIRE_SECONDS": _HOUR,
    "ID_TOKEN_EXPIRE_SECONDS": _HOUR,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * _HOUR,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    # Two refreshes of one client may race; what comes later than this is a replay and ends the family.
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 30,
    # RFC 8252: "http" only leads to a program on the person's own computer; the validator sees to that.
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"],
    "ALLOW_LOCALHOST_LOOPBACK": True,
    # What discovery says; the token endpoint and the validator enforce the same lists.
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "refresh_token"],
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}

SILENCED_CHECKS = [
    # A grace period with hashed tokens: the library would have to hand out the stored token again, which is not there.
    # Validator._save_bearer_token hands out new ones instead.
    "oauth2_provider.E001",
    # "http" among the redirect schemes: Validator.validate_redirect_uri keeps it to loopback addresses.
    "oauth2_provider.E003",
]
