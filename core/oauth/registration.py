"""Clients that register themselves (RFC 7591, RFC 7592), as MCP clients do: what is accepted of what they say.

docs/adr/0026-clients-may-register-themselves.md says why. Metadata documents are held to the same
(core/oauth/metadata_documents.py).
"""

import time
import unicodedata
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import orjson
from confusable_homoglyphs.confusables import is_confusable
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oauth2_provider.models import Application
from oauth2_provider.views import dynamic_client_registration as library

from core.actions.clients import leads_somewhere
from core.authentication.bearer import address_of_client
from core.authentication.throttles import AddressThrottle

MAX_BODY = 16_384
MAX_NAME = 100
MAX_REDIRECTS = 10
MAX_REDIRECT = 500
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Clients that exist register `localhost`, too, which RFC 8252 §8.3 only advises against."""

_GRANTS = {"authorization_code", "refresh_token"}
_LEFT_OUT = {"urn:ietf:params:oauth:grant-type:device_code"}
_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
_OUR_NAMES = ("jupyterhealth", "jhe")


class InvalidMetadataError(Exception):
    """RFC 7591 §3.2.2. `str()` is the sentence."""

    def __init__(self, description: str, error: str = "invalid_client_metadata") -> None:
        super().__init__(description)
        self.error = error


def accepted(metadata: Mapping[str, Any], *, auth_method: str = "client_secret_basic") -> dict[str, Any]:
    """What is kept of a client's metadata, `auth_method` being what it gets if it names none.

    Members that mean nothing here are left out (RFC 7591 §2). Raises InvalidMetadataError.
    """
    method = metadata.get("token_endpoint_auth_method", auth_method)
    if method not in _AUTH_METHODS:
        raise InvalidMetadataError(f"token_endpoint_auth_method: It is one of {', '.join(_AUTH_METHODS)}.")
    kept = {
        "redirect_uris": _redirect_uris(metadata.get("redirect_uris")),
        "grant_types": _grant_types(metadata.get("grant_types", ["authorization_code"])),
        "response_types": _response_types(metadata.get("response_types", ["code"])),
        "token_endpoint_auth_method": method,
    }
    if name := _name(metadata.get("client_name", "")):
        kept["client_name"] = name
    return kept


def _redirect_uris(uris: Any) -> list[str]:
    if not isinstance(uris, list) or not 1 <= len(uris) <= MAX_REDIRECTS:
        raise InvalidMetadataError(f"redirect_uris: From 1 to {MAX_REDIRECTS} are needed.", "invalid_redirect_uri")
    for uri in uris:
        if not isinstance(uri, str) or len(uri) > MAX_REDIRECT or not leads_somewhere(uri, loopback=LOOPBACK):
            raise InvalidMetadataError(
                "redirect_uris: Each is an https URL without a fragment, or http to a loopback address such as "
                f"http://127.0.0.1/callback, of {MAX_REDIRECT} characters at most.",
                "invalid_redirect_uri",
            )
    return list(dict.fromkeys(uris))


def _grant_types(grants: Any) -> list[str]:
    asked = set(_words(grants, "grant_types")) - _LEFT_OUT
    if "authorization_code" not in asked or not asked <= _GRANTS:
        raise InvalidMetadataError(
            "grant_types: A client that registers itself gets authorization_code and refresh_token, and no other."
        )
    return ["authorization_code", "refresh_token"]


def _response_types(types: Any) -> list[str]:
    if "code" not in _words(types, "response_types"):
        raise InvalidMetadataError("response_types: The only one is code.")
    return ["code"]


def _words(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InvalidMetadataError(f"{name}: It is a list of words.")
    return value


def _name(name: Any) -> str:
    """What a person reads on the consent page: one line of plain characters, and not the exchange's own name."""
    if not isinstance(name, str):
        raise InvalidMetadataError("client_name: It is text.")
    plain = unicodedata.normalize("NFKC", name)
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in plain)
    plain = " ".join(plain.split())
    if len(plain) > MAX_NAME:
        raise InvalidMetadataError(f"client_name: It has {MAX_NAME} characters at most.")
    words = "".join(letter if letter.isalnum() else " " for letter in _as_it_looks(plain)).split()
    if _OUR_NAMES[0] in "".join(words) or _OUR_NAMES[1] in words:
        raise InvalidMetadataError("client_name: It is the name of this exchange: choose one of your own.")
    return plain


def _as_it_looks(name: str) -> str:
    """Each character as the plain small letter that it is mistaken for (the confusables of UTS 39): 1 and I are l."""
    return "".join(_letter_like(character) for character in name).casefold()


def _letter_like(character: str) -> str:
    if character.isascii() and character.isalpha() and character != "I":
        return character
    found = is_confusable(character) or [{"homoglyphs": []}]
    letters = (alike["c"] for alike in found[0]["homoglyphs"] if alike["c"].isascii() and alike["c"].isalpha())
    return next(letters, character)


class RegistrationThrottle(AddressThrottle):
    """One address that registers clients: each is a row that stays for a day at least."""

    scope = "registration"

    def get_rate(self) -> str:
        rate: str = settings.REGISTRATION_RATE_LIMIT
        return rate

    def get_cache_key(self, request: Any, _view: Any) -> str:
        """Of an IPv6 address the network: everybody has billions of addresses in theirs."""
        source = address_of_client(request)
        return f"throttle:registration:{ip_network(f'{source}/64', strict=False) if ':' in source else source}"


@method_decorator(never_cache, name="dispatch")
class RegistrationView(library.DynamicClientRegistrationView):
    """RFC 7591 §3: anybody registers a client, which can only ask people to let it in."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle = RegistrationThrottle()
        if not throttle.allow_request(request, self):  # type: ignore[arg-type] # it asks for META alone
            return _too_often(throttle.wait())
        try:
            kept = accepted(_sent(request))
        except InvalidMetadataError as error:
            return _refusal(error)
        request.user = AnonymousUser()  # who is logged in in the browser that sends it does not own the client
        return _completed(super().post(_with_body(request, kept), *args, **kwargs), kept, issued_at=int(time.time()))


@method_decorator(never_cache, name="dispatch")
class RegistrationManagementView(library.DynamicClientRegistrationManagementView):
    """RFC 7592, with the token that the registration gave: look, replace everything, or delete."""

    def get(self, request: HttpRequest, client_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return _completed(super().get(request, client_id, *args, **kwargs), {})

    def put(self, request: HttpRequest, client_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        holder = self._authenticate_registration_request(request, client_id)
        if isinstance(holder, HttpResponse):
            return holder
        try:
            sent = _sent(request)
            kept = accepted(sent)
            _check_is_same_client(sent, kept, holder.application)
        except InvalidMetadataError as error:
            return _refusal(error)
        return _completed(super().put(_with_body(request, kept), client_id, *args, **kwargs), kept)


def _check_is_same_client(sent: Mapping[str, Any], kept: Mapping[str, Any], client: Application) -> None:
    """RFC 7592 §2.2."""
    if sent.get("client_id", client.client_id) != client.client_id:
        raise InvalidMetadataError("client_id: It is that of the URL.")
    has_secret = kept["token_endpoint_auth_method"].startswith("client_secret")
    if has_secret != (client.client_type == Application.CLIENT_CONFIDENTIAL):
        raise InvalidMetadataError("token_endpoint_auth_method: Whether a client has a secret stays: register another.")


def _sent(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > MAX_BODY:  # Django reads no more than DATA_UPLOAD_MAX_MEMORY_SIZE
        raise InvalidMetadataError(f"The metadata is too long: {MAX_BODY} bytes are the most.")
    try:
        sent = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise InvalidMetadataError("The body is not JSON.") from None
    if not isinstance(sent, dict):
        raise InvalidMetadataError("The body is not a JSON object.")
    return sent


def _with_body(request: HttpRequest, kept: Mapping[str, Any]) -> HttpRequest:
    """The request as the library is to read it: it looks at nothing but the body, which is what was accepted."""
    request._body = orjson.dumps(kept)
    return request


def _completed(response: HttpResponse, kept: Mapping[str, Any], *, issued_at: int = 0) -> HttpResponse:
    """The library's answer with what RFC 7591 §3.2.1 asks for besides, and no URL that comes from the request."""
    said = orjson.loads(response.content)
    if "client_id" not in said:
        return response
    said |= kept
    said["response_types"] = ["code"]
    path = reverse("oauth2_provider:dcr-register-management", kwargs={"client_id": quote(said["client_id"])})
    said["registration_client_uri"] = settings.BASE_URL + path
    if issued_at:
        said["client_id_issued_at"] = issued_at
    if "client_secret" in said:
        said["client_secret_expires_at"] = 0
    return JsonResponse(said, status=response.status_code)


def _refusal(error: InvalidMetadataError) -> JsonResponse:
    return JsonResponse({"error": error.error, "error_description": str(error)}, status=400)


def _too_often(wait: float | None) -> JsonResponse:
    seconds = max(1, int(wait or 0) + 1)
    said = f"Too many registrations from one address: wait {seconds} s."
    return JsonResponse(
        {"error": "too_many_requests", "error_description": said}, status=429, headers={"Retry-After": str(seconds)}
    )
