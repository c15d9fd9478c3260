"""OAuth clients: the one that belongs to the exchange itself, those of organizations, and practitioners' own."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import Application

from core.actions.acting import acting, record_write
from core.actions.narrowings import narrow
from core.actions.scope_codes import check_told_apart
from core.models import Client, Narrowing, Organization, OrganizationClient, PractitionerClient, User
from core.policy.checks import check_is_not_narrowed
from core.policy.errors import Conflict, InvalidInput, PermissionDenied
from core.policy.principal import Principal, UserType
from core.policy.scopes import (
    OWN_CLIENTS,
    PLAIN_SYSTEM_SCOPES,
    check_may_give,
    check_named_scope,
    parse,
)

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


def create_client(
    *,
    actor: Principal,
    door: str,
    organization: Organization,
    name: str,
    redirect_uris: Sequence[str],
    client_type: str = Application.CLIENT_PUBLIC,
    invitation_url: str = "",
) -> tuple[Client, str]:
    """A client that people log in with, by code and PKCE; and its secret, if it is one that can keep a secret.

    Nobody can be shown the secret again: it is kept hashed. The caller has fetched the organization with TOKEN_MANAGE.
    Raises InvalidInput for a redirect or invitation URL that nobody may be sent to.
    """
    _check_redirects(redirect_uris)
    _check_invitation_url(invitation_url)
    secret: str = generate_client_secret()
    with acting(actor, door=door):
        client = Client.objects.create(
            name=name,
            client_type=client_type,
            client_secret=secret,
            authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
            redirect_uris=" ".join(redirect_uris),
            algorithm=Application.RS256_ALGORITHM,
        )
        OrganizationClient.objects.create(
            application_id=client.pk, organization=organization, invitation_url=invitation_url
        )
        record_write(actor, door=door, action="create_client", patient_ids=[])
    return client, secret if client_type == Application.CLIENT_CONFIDENTIAL else ""


def create_own_client(
    *,
    actor: Principal,
    door: str,
    name: str,
    scopes: Sequence[str],
    studies: Collection[int] | None = None,
    organizations: Collection[int] | None = None,
) -> tuple[Client, str]:
    """A practitioner's own client, which acts for them without a login; and its secret, which nobody is shown again.

    `studies` and `organizations` (ids) are all that it reaches; None for both leaves what its owner reaches. It can do
    no more than the token that makes it. Raises PermissionDenied and InsufficientScope; InvalidInput for other scopes.
    """
    if actor.user_type is not UserType.PRACTITIONER:
        raise PermissionDenied("Only practitioners have clients of their own.")
    check_is_not_narrowed(actor)
    _check_system_scopes(scopes)
    check_may_give(actor, scopes)
    secret: str = generate_client_secret()
    owner = User.objects.get(pk=actor.user_id)
    with acting(actor, door=door):
        client = Client.objects.create(
            name=name,
            user=owner,
            client_type=Application.CLIENT_CONFIDENTIAL,
            client_secret=secret,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
            algorithm=Application.RS256_ALGORITHM,
        )
        PractitionerClient.objects.create(
            application_id=client.pk,
            scope=" ".join(dict.fromkeys(scopes)),
            narrowing=narrow(owner, studies=studies, organizations=organizations),
        )
        record_write(actor, door=door, action="create_client", patient_ids=[])
    return client, secret


def renew_secret(*, actor: Principal, door: str, client: Client) -> str:
    """Give a client another secret, which nobody is shown again; from this moment on the one before is worth nothing.

    What it has been given already stands. The caller has fetched the client with TOKEN_MANAGE. Raises Conflict for one
    that cannot keep a secret, and PermissionDenied to a token that can do less than its person's own client.
    """
    _check_is_not_the_exchanges(client)
    if client.client_type != Application.CLIENT_CONFIDENTIAL:
        raise Conflict("The client is a public one, which has no secret.")
    if client.is_own:
        check_named_scope(actor, OWN_CLIENTS)
        check_is_not_narrowed(actor)
        check_may_give(actor, client.practitioner_client.scope.split())
    secret: str = generate_client_secret()
    with acting(actor, door=door):
        client.client_secret = secret
        client.save(update_fields=["client_secret", "updated"])
        record_write(actor, door=door, action="renew_client_secret", patient_ids=[])
    return secret


def update_client(*, actor: Principal, door: str, client: Client, changes: Mapping[str, Any]) -> None:
    """Change `name`, `redirect_uris`, `invitation_url` or `organization`. Type and secret stay what they are.

    The caller has fetched the client, and the organization it is to belong to, with TOKEN_MANAGE. Raises InvalidInput
    as create_client does, and for a client that has no organization and is given none; Conflict for the exchange's own.
    """
    _check_is_not_the_exchanges(client)
    if client.is_own and changes.keys() - {"name"}:
        raise InvalidInput("Of a practitioner's own client only the name can change: make another one.")
    with acting(actor, door=door):
        if "name" in changes:
            client.name = changes["name"]
        if "redirect_uris" in changes:
            _check_redirects(changes["redirect_uris"])
            client.redirect_uris = " ".join(changes["redirect_uris"])
        client.save(update_fields=["name", "redirect_uris", "updated"])
        _update_organization_client(client, changes)
        record_write(actor, door=door, action="update_client", patient_ids=[])


def delete_client(*, actor: Principal, door: str, client: Client) -> None:
    """End a client, and with it every token, code and invitation that it has. The caller has it with TOKEN_MANAGE."""
    _check_is_not_the_exchanges(client)
    narrowing = client.practitioner_client.narrowing_id if client.is_own else None
    with acting(actor, door=door):
        Application.objects.filter(pk=client.pk).delete()
        if narrowing is not None:
            Narrowing.objects.filter(pk=narrowing).delete()
        record_write(actor, door=door, action="delete_client", patient_ids=[])


def _update_organization_client(client: Client, changes: Mapping[str, Any]) -> None:
    values = {name: changes[name] for name in ("organization", "invitation_url") if name in changes}
    if not values:
        return
    _check_invitation_url(values.get("invitation_url", ""))
    if OrganizationClient.objects.filter(application_id=client.pk).update(**values):
        return
    if "organization" not in values:
        raise InvalidInput("organization: The client belongs to none yet: name the one that looks after it.")
    OrganizationClient.objects.create(application_id=client.pk, **values)


def _check_system_scopes(scopes: Sequence[str]) -> None:
    for scope in scopes:
        parsed = parse(scope)
        if scope not in PLAIN_SYSTEM_SCOPES and (parsed is None or parsed.context != "system"):
            raise InvalidInput("scopes: Each is mcp or one for system, such as system/Observation.rs.")
    check_told_apart(scopes)


def _check_redirects(redirect_uris: Sequence[str]) -> None:
    """RFC 8252 §7.3, RFC 9700 §2.1; at a login the validator of core/oauth holds to the very same."""
    for uri in redirect_uris:
        if not leads_somewhere(uri):
            raise InvalidInput(
                "redirectUris: Each is an https URL without a fragment, or http to a loopback address such as "
                "http://127.0.0.1/callback."
            )


def _check_invitation_url(url: str) -> None:
    if url and not (leads_somewhere(url) and "CODE" in url):
        raise InvalidInput("invitationUrl: It is an https URL in which CODE stands for the invitation's code.")


def leads_somewhere(url: str, *, loopback: tuple[str, ...] = ("127.0.0.1", "::1")) -> bool:
    """Whether somebody may be sent to it: https, or http to a program on their own computer."""
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' \\#"<>'):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return False
    is_loopback = parts.scheme == "http" and host in loopback
    return bool(host) and "@" not in parts.netloc and (parts.scheme == "https" or is_loopback)


def _check_is_not_the_exchanges(client: Client) -> None:
    if client.client_id == STDIO_CLIENT_ID:
        raise Conflict(f"Client {STDIO_CLIENT_ID} belongs to the exchange itself: a superuser changes it in the admin.")
