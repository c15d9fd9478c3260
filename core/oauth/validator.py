"""What this exchange asks of an authorization server beyond what django-oauth-toolkit is configured to do."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from jwcrypto import jwk, jws
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant
from oauthlib.openid.connect.core.exceptions import (
    RegistrationNotSupported,
    RequestNotSupported,
    RequestURINotSupported,
)

from core.actions import mcp_tokens
from core.actions.client_consents import Reach, family_of, give, standing
from core.actions.clients import leads_somewhere
from core.models import ClientConsent, ConsentedToken, PractitionerClient
from core.models.signing_key import Algorithm
from core.oauth import client_credentials, device_codes, launch
from core.oauth.consents import check_refreshed, narrowed
from core.oauth.keys import sign, verification_key
from core.oauth.registration import LOOPBACK
from core.oauth.resources import canonical, check_within
from core.oauth.scopes import check_offered
from core.oauth.tokens import person_claims
from core.policy.scopes import LAUNCH_PATIENT

_PERSON_CLAIMS = ("user_type", "user_id", "jhe_permissions", "narrowing")
_S256 = re.compile(r"[\w-]{43}", re.ASCII)  # RFC 7636 §4.2: 32 bytes in base64url
_MAX_NONCE = 255
_NOT_SUPPORTED = {
    "request": RequestNotSupported,
    "request_uri": RequestURINotSupported,
    "registration": RegistrationNotSupported,
}


class Validator(OAuth2Validator):
    """The library's validator with the exchange's claims, resources and refusals.

    Bearer tokens and codes are looked up by the library; here is only what it leaves open.
    """

    oidc_claim_scope = {
        **OAuth2Validator.oidc_claim_scope,
        **dict.fromkeys(_PERSON_CLAIMS, "openid"),
        "fhirUser": "fhirUser",
    }

    # What tokens say

    def get_additional_claims(self) -> dict[str, Callable[[Request], Any]]:
        """Without a request among its arguments, so that discovery lists the names."""
        return {
            "name": lambda request: f"{request.user.first_name} {request.user.last_name}".strip() or None,
            "given_name": lambda request: request.user.first_name or None,
            "family_name": lambda request: request.user.last_name or None,
            "email": lambda request: request.user.email,
            "fhirUser": lambda request: launch.fhir_user(request.user),
            **{name: partial(_person_claim, name) for name in _PERSON_CLAIMS},
        }

    def get_oidc_claims(self, token: Any, token_handler: Any, request: Request) -> dict[str, Any]:
        """OpenID Connect Core §5.3.2: a claim without a value is left out."""
        claims = super().get_oidc_claims(token, token_handler, request)
        return {name: value for name, value in claims.items() if value is not None}

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Request) -> tuple[dict[str, Any], Any]:
        """With `scope` as in an access token: the MCP server takes ID tokens too, and only if MCP was granted."""
        claims, expires = super().get_id_token_dictionary(token, token_handler, request)
        claims["auth_time"] = int(vars(request)["consent"].authenticated.timestamp())
        return {**claims, "azp": request.client.client_id, "scope": " ".join(request.scopes)}, expires

    def finalize_id_token(self, id_token: dict[str, Any], token: Any, token_handler: Any, request: Request) -> str:
        """As the library does, with the key whose turn it is: RS256 for every client (OpenID Connect Core §3.1.3.7)."""
        claims, expires = self.get_id_token_dictionary(token, token_handler, request)
        nonce = {"nonce": request.nonce} if request.nonce else {}
        claims = {**nonce, **id_token, **claims}
        request.id_token = request.access_token = self._save_id_token(claims["jti"], request, expires)
        return sign(claims, typ="JWT", algorithm=Algorithm.RS256)

    def _get_key_for_token(self, token: str) -> jwk.JWK | None:
        """By the `kid` that its header names; its own `jwk` and `jku` are not looked at."""
        unverified = jws.JWS()
        unverified.deserialize(token)
        return verification_key(str(unverified.jose_header.get("kid", "")))

    # Which secret a client shows

    def _check_secret(self, provided_secret: str, stored_secret: str) -> bool:
        """One that is kept as passwords are, or under a former SECRET_KEY, is kept anew when it comes."""
        if not stored_secret:
            return False

        def keep(secret: str) -> None:
            kept = make_password(secret, hasher=oauth2_settings.CLIENT_SECRET_HASHER)
            Application.objects.filter(client_secret=stored_secret).update(client_secret=kept)

        return check_password(provided_secret, stored_secret, keep, oauth2_settings.CLIENT_SECRET_HASHER)

    # Which authorization requests are put before a person

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Request, *args: Any, **kw: Any) -> bool:
        """RFC 9700 §2.1: exactly a registered URI; on a loopback address any port will do (RFC 8252 §7.3)."""
        if not leads_somewhere(redirect_uri, loopback=LOOPBACK):
            return False
        if redirect_uri.startswith("http://"):
            return super().validate_redirect_uri(client_id, redirect_uri, request, *args, **kw)
        return redirect_uri in request.client.redirect_uris.split()

    def get_default_redirect_uri(self, *_: Any, **__: Any) -> None:
        """There is none: OpenID Connect wants the URI named, and one that is not named would not be checked."""

    def validate_response_type(
        self, client_id: str, response_type: str, client: Any, request: Request, *args: Any, **kw: Any
    ) -> bool:
        """Called for authorization requests and only for them, before a person sees one: all else is checked here."""
        if request.code_challenge is not None and (
            request.code_challenge_method != "S256" or not _S256.fullmatch(request.code_challenge)
        ):
            raise InvalidRequestError(description="PKCE needs a code_challenge of method S256.", request=request)
        _check_parameters(request)
        launch.check_audience(request)
        if len(request.nonce or "") > _MAX_NONCE:
            raise InvalidRequestError(description=f"A nonce has at most {_MAX_NONCE} characters.", request=request)
        if not isinstance(request.resource, list):
            request.resource = [value for name, value in request.uri_query_params if name == "resource"]
        request.resource = canonical(request.resource, request)
        return response_type == "code" and super().validate_response_type(
            client_id, response_type, client, request, *args, **kw
        )

    def validate_scopes(self, _client_id: str, scopes: list[str], _client: Any, request: Request, *_: Any) -> bool:
        """More than discovery lists: any letters for any type. What is not offered is refused with what would be."""
        if own := _own_client(request):
            client_credentials.check_scopes(own, scopes, request)
            self.settle_resource(request)
            client_credentials.narrow_token(own, request)
        else:
            check_offered(scopes, request)
        return True

    def get_default_scopes(self, client_id: str, request: Request, *args: Any, **kw: Any) -> list[str]:
        own = _own_client(request)
        return own.scope.split() if own else super().get_default_scopes(client_id, request, *args, **kw)

    def validate_silent_login(self, _request: Request) -> bool:
        """core/oauth/authorization.py says whether `prompt=none` works: it knows who is logged in."""
        return True

    def validate_silent_authorization(self, _request: Request) -> bool:
        return True

    # Which clients, codes and refresh tokens give tokens

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Request, *args: Any, **kw: Any
    ) -> bool:
        """Client credentials are for practitioners' own clients: the request is their owner's from here on."""
        if grant_type == device_codes.GRANT_TYPE:
            return device_codes.may_ask(client)
        if not super().validate_grant_type(client_id, grant_type, client, request, *args, **kw):
            return False
        if grant_type == "client_credentials":
            request._own_client = own = client_credentials.own_client(client)
            request.user = own and own.application.user
            return own is not None
        return True

    def validate_code(self, client_id: str, code: str, client: Any, request: Request, *args: Any, **kw: Any) -> bool:
        """A code that comes again also ends what it gave the first time (RFC 6749 §4.1.2).

        Its person's turn is taken until it is used up: of two requests with one code, the second finds none.
        """
        request.consent = standing(family_of(code), client)
        if request.consent is None or not super().validate_code(client_id, code, client, request, *args, **kw):
            RefreshToken.revoke_family(family_of(code))
            AccessToken.objects.filter(consented__consent__family=family_of(code)).delete()  # where none came with it
            return False
        self._check_and_set_request_resource(request)
        return request.user.is_active

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Request, *args: Any, **kw: Any) -> bool:
        if not super().validate_refresh_token(refresh_token, client, request, *args, **kw):
            return False
        request.consent = standing(request.refresh_token_instance.token_family, client)
        if request.consent is None:
            return False
        check_refreshed(request.consent, request)
        self._check_and_set_request_resource(request)
        return request.user.is_active

    def validate_device_code(self, _client_id: str, code: str, request: Request, *_: Any, **__: Any) -> str | None:
        status = device_codes.poll(code, request)
        if status == DeviceCodeGrant.DEVICE_CODE_AUTHORIZED:
            self._check_and_set_request_resource(request)
            request.resource = request.resource or request.consent.resource
        return status

    def settle_resource(self, request: Request) -> None:
        """Of grants without a code, before a token is made. `audience` (RFC 8693 §2.1) says the same as `resource`."""
        asked = [value for name, value in request.decoded_body or [] if name in ("resource", "audience")]
        request.resource = canonical(asked, request)

    def _check_and_set_request_resource(self, request: Request) -> None:
        """The library's rules of narrowing and inheriting, over resources that are served here now."""
        if not isinstance(request.resource, list):
            request.resource = [value for name, value in request.decoded_body or [] if name == "resource"]
        request.resource = canonical(request.resource, request)
        if consent := vars(request).get("consent"):
            check_within(consent.resource, request.resource, request)
        super()._check_and_set_request_resource(request)
        request.resource = canonical(request.resource, request)

    def revoke_token(self, token: str, token_type_hint: str, request: Request, *args: Any, **kw: Any) -> None:
        """An MCP token was issued to no client: whoever has it, ends it."""
        if not mcp_tokens.revoke_presented(door="web", token=token):
            super().revoke_token(token, token_type_hint, request, *args, **kw)

    def _save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kw: Any) -> None:
        """A refresh token used a moment ago gives a second pair of its family: two refreshes of a client may race.

        The library would hand out the first pair again, of which only hashes are kept; and it would give a pair to one
        that was revoked since it was looked up.
        """
        consent = vars(request).get("consent")
        if consent is not None and not consent.refreshes:
            token.pop("refresh_token", None)
        used = vars(request).get("refresh_token_instance")
        if used is not None:
            used = RefreshToken.objects.select_for_update().get(pk=used.pk)
            if used.revoked is not None:
                if not AccessToken.objects.filter(source_refresh_token=used).exists():
                    raise InvalidGrantError(request=request)
                used = None
        request.refresh_token_instance = used
        super()._save_bearer_token(token, request, *args, **kw)
        if LAUNCH_PATIENT in token["scope"].split():
            token["patient"] = launch.patient_in_context(request.user, vars(request).get("consent"))

    def _create_refresh_token(self, request: Request, code: str, access_token: Any, previous: Any) -> Any:
        relative = previous or RefreshToken(token_family=vars(request)["consent"].family)
        return super()._create_refresh_token(request, code, access_token, relative)

    # Which consent they come of

    def _create_authorization_code(self, request: Request, code: dict[str, str], expires: Any = None) -> Grant:
        """What the person answered (core/oauth/authorization.py) is among the request's own attributes."""
        answer = vars(request)
        with transaction.atomic():
            reach = answer.get("reach", Reach())
            give(
                user=request.user,
                application=request.client,
                code=code["code"],
                scope=" ".join(request.scopes),
                resource=request.resource,
                narrowing=answer.get("narrowing") or narrowed(request.user, request.scopes, reach),
                redirect_uri=request.redirect_uri,
                authenticated=answer.get("authenticated"),
                refreshes=answer.get("refreshes", True),
            )
            return super()._create_authorization_code(request, code, expires)

    def _create_access_token(self, expires: Any, request: Request, token: Any, source_refresh_token: Any = None) -> Any:
        """The library leaves tokens of client credentials to nobody. What a token was narrowed to goes with it."""
        if own := _own_client(request):
            request.user = own.application.user
        access_token = super()._create_access_token(expires, request, token, source_refresh_token)
        if consent := vars(request).get("consent"):
            ConsentedToken.objects.create(access_token=access_token, consent=consent)
        if narrowing := vars(request).get("_narrowing"):
            narrowing.access_token = access_token
            narrowing.save(update_fields=["access_token"])
        return access_token

    # Which tokens are accepted here

    def validate_bearer_token(self, token: str, scopes: Any, request: Request) -> bool:
        """In the header only (RFC 9700 §4.3.2): the library's userinfo would also take it from the URL or a form."""
        if "Authorization" not in request.headers or not super().validate_bearer_token(token, scopes, request):
            return False
        request.consent = ClientConsent.objects.filter(tokens__access_token=request.access_token).first()
        return bool(request.user and request.user.is_active)

    def validate_jwt_bearer_token(self, token: str, scopes: Any, request: Request) -> bool:
        """A JWT is an access token like any other. The library would take it for an ID token, and accept that."""
        return self.validate_bearer_token(token, scopes, request)


def _person_claim(name: str, request: Request) -> Any:
    return person_claims(request).get(name)


def _own_client(request: Request) -> PractitionerClient | None:
    """The practitioner's own client that shows its credentials; not getattr(), as clients send what that answers."""
    return vars(request).get("_own_client")


def _check_parameters(request: Request) -> None:
    """RFC 6749 §3.1: each comes once, but `resource` (RFC 8707 §2). What is not offered is refused by name (OpenID
    Connect Core §6, §7.2), and answers go nowhere but into the query of the redirect.
    """
    if set(request.duplicate_params) - {"resource"}:
        raise InvalidRequestError(description="A parameter comes twice: send each once.", request=request)
    for name, error in _NOT_SUPPORTED.items():
        if name in dict(request.uri_query_params):
            raise error(request=request)
    if request.response_mode not in (None, "query"):
        raise InvalidRequestError(description="The only response_mode is query.", request=request)
