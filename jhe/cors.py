"""Which answers browser apps of other origins may read (https://fetch.spec.whatwg.org/#http-cors-protocol).

Of any origin: there is nothing here that a browser adds by itself. These URLs know who asks by what the app itself
sends, a bearer token or a client's secret, and look at no cookie; so an origin is no proof of anything, and a list of
trusted ones would only break apps. Pages with a session (login, consent, account, admin) are never shared.
"""

CORS_URLS_REGEX = (
    r"^/(api/v1/|FHIR/R5(/|$)|fhir/r5(/|$)|\.well-known/"
    r"|o/(token|revoke_token|userinfo|register|device-authorization)/|o/\.well-known/)"
)
CORS_ALLOW_ALL_ORIGINS = True
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
CORS_ALLOW_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-exist",
    "if-none-match",
    "prefer",
    "x-requested-with",
)
CORS_EXPOSE_HEADERS = (
    "Content-Location",
    "ETag",
    "Expires",
    "Last-Modified",
    "Link",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Progress",
)
CORS_PREFLIGHT_MAX_AGE = 7_200
