"""How django-oauth-toolkit is configured: the authorization server of `core/oauth`."""

from typing import Any

from jhe import development, env

SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay connected without asking you again, until it has not been used for 30 days",
    "fhirUser": "Know which record of a patient or practitioner is yours",
    "launch/patient": "Know which patient it is about",
    "patient/*.rs": "Read the health data of one patient: your own, or of the patient it is about",
    "patient/*.cruds": (
        "Read the health data of one patient, add to it, and answer what studies ask for: your own, or of the patient "
        "it is about"
    ),
    "user/*.rs": "Read, on your behalf, the studies, people and health data that you may see",
    "user/*.cruds": "Read and change, on your behalf, what you may see and change",
    "mcp_tokens": (
        "Make, see and revoke MCP tokens, which act on your behalf for as long as a year: also after you have "
        "disconnected this application"
    ),
    "own_clients": (
        "Make clients of your own, or give them new secrets, which act on your behalf without a login: also after you "
        "have disconnected this application"
    ),
    "mcp": (
        "Let an AI assistant read, on your behalf, the studies and health data that you may see, and who looked at them"
    ),
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
    "OIDC_SERVER_CLASS": "core.oauth.token_exchange.ExchangeServer",
    "OAUTH2_VALIDATOR_CLASS": "core.oauth.validator.Validator",
    "ACCESS_TOKEN_GENERATOR": "core.oauth.tokens.access_token",
    # Named, because oauthlib would otherwise use the line above for refresh tokens too.
    "REFRESH_TOKEN_GENERATOR": "oauthlib.oauth2.rfc6749.tokens.random_token_generator",
    "RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR": "core.oauth.resources.is_for_this_server",
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    # core/oauth/logout.py asks unless the client shows the ID token of whoever is logged in.
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
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
    "OAUTH2_GRANT_TYPES_SUPPORTED": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
    "OAUTH_DEVICE_VERIFICATION_URI": f"{env.BASE_URL}/o/device/",
    # oauthlib asks the validator about device codes; the library's own look at them comes before that, and is less.
    "OAUTH_PRE_TOKEN_VALIDATION": [],
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    # core/oauth/registration.py says what is accepted; the first setting is who may ask.
    "DCR_ENABLED": env.OPEN_REGISTRATION,
    "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
    "CIMD_ENABLED": env.CLIENT_METADATA_DOCUMENTS,
    "CIMD_METADATA_FETCHER": "core.oauth.metadata_documents.MetadataFetcher",
    "CIMD_REGISTRATION_PERMISSION_CLASSES": ["core.oauth.metadata_documents.WhereAPersonIsAsked"],
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
