"""Patients are invited to an app, which exchanges the invitation for a grant and that for tokens.

The token travels in a link. Its base64url is the `code_verifier` that the grant is redeemed with, so that what the app
is given is of use to nobody who has not seen the link.
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from oauth2_provider.models import Grant

from core.actions.accounts import check_can_log_in, login_of
from core.actions.acting import acting, record_write
from core.actions.mail import send
from core.models import Client, OrganizationClient, Patient, PatientInvitation, Setting
from core.policy.errors import Conflict, Expired, InvalidInput, NotVisible, PermissionDenied
from core.policy.principal import Principal, UserType

LIFETIME = timedelta(days=7)
GRANT_LIFETIME = timedelta(minutes=10)
SCOPE = "openid offline_access patient/*.cruds"
"""What the app may do: everything that the patient may do with their own data."""

_TOKEN_LENGTH = 32
_Status = PatientInvitation.Status


@dataclass(frozen=True, slots=True)
class Issued:
    """`token` and `link` are secrets that nobody can be shown again."""

    invitation: PatientInvitation
    token: str
    link: str


def issue_invitation(*, actor: Principal, door: str, patient: Patient, client: Client, send_email: bool) -> Issued:
    """Invite a patient to an app, for a week; one that is open already gets a new token, and the old one is no good.

    The caller has fetched `patient` with PATIENT_MANAGE and `client` with `for_patient`. Raises Conflict for a patient
    who cannot have a login, InvalidInput for a client that has no link to invite with, Unavailable when no e-mail can
    be sent; then nothing has changed.
    """
    url = _invitation_url(client)
    token = get_random_string(_TOKEN_LENGTH)
    fresh = {"token_hash": _hash(token), "expires": timezone.now() + LIFETIME}
    with acting(actor, door=door):
        patient = Patient.objects.select_for_update().get(pk=patient.pk)  # one invitation at a time
        check_can_log_in(patient)
        invitation = PatientInvitation.objects.filter(
            patient=patient, client=client, status__in=PatientInvitation.OPEN
        ).first()
        if invitation is None:
            invitation = PatientInvitation.objects.create(patient=patient, client_id=client.pk, **fresh)
        else:
            _change(invitation, status=_Status.REISSUED, **fresh)
        record_write(actor, door=door, action=f"invitation_{invitation.status}", patient_ids=[patient.pk])
        link = url.replace("CODE", f"{quote(urlsplit(settings.BASE_URL).netloc, safe='')}_{token}")
        if send_email:
            _send(patient, client, link)
    return Issued(invitation, token, link)


def cancel_invitation(*, actor: Principal, door: str, invitation: PatientInvitation) -> PatientInvitation:
    """The caller has fetched it with PATIENT_MANAGE. Raises Conflict for one that was redeemed; twice is as once."""
    with acting(actor, door=door):
        locked = PatientInvitation.objects.select_for_update().get(pk=invitation.pk)
        if locked.status == _Status.REDEEMED:
            raise Conflict("The invitation was redeemed: end the app's access or the patient's login instead.")
        _change(locked, status=_Status.CANCELLED)
        record_write(actor, door=door, action="invitation_cancelled", patient_ids=[locked.patient_id])
        return locked


def redeem_invitation(*, token: str, door: str, source: str) -> Grant:
    """The grant that an app gets for a token, once; of two who come at once, one. The patient gets a login if need be.

    Raises NotVisible for an unknown token, Conflict for a redeemed one, PermissionDenied for a cancelled one or one of
    an account that is not to be entered this way, Expired for an old one.
    """
    with transaction.atomic():
        found = PatientInvitation.objects.select_for_update(of=("self",)).select_related("client")
        invitation = found.filter(token_hash=_hash(token)).first()
        if invitation is None:
            raise NotVisible("No such invitation: ask for a new one.")
        _check_can_be_redeemed(invitation)
        patient = Patient.objects.select_for_update(of=("self",)).select_related("user").get(pk=invitation.patient_id)
        user = login_of(patient)
        grant = Grant.objects.create(
            user=user,
            application=invitation.client,
            code=secrets.token_urlsafe(32),
            expires=timezone.now() + GRANT_LIFETIME,
            redirect_uri=invitation.client.redirect_uris.split()[0],
            scope=SCOPE,
            code_challenge=_base64url(hashlib.sha256(verifier_of(token).encode()).digest()),
            code_challenge_method=Grant.CODE_CHALLENGE_S256,
        )
        _change(invitation, status=_Status.REDEEMED)
        who = Principal(
            user_id=user.pk, user_type=UserType.PATIENT, client_id=invitation.client.client_id, source=source
        )
        record_write(who, door=door, action="invitation_redeemed", patient_ids=[patient.pk])
    return grant


def verifier_of(token: str) -> str:
    """The PKCE code_verifier that belongs to the token of an invitation."""
    return _base64url(token.encode())


def _check_can_be_redeemed(invitation: PatientInvitation) -> None:
    if invitation.state == _Status.REDEEMED:
        raise Conflict("The invitation was used already: ask for a new one.")
    if invitation.state == _Status.CANCELLED:
        raise PermissionDenied("The invitation was cancelled: ask for a new one.")
    if invitation.state == _Status.EXPIRED:
        raise Expired("The invitation has expired: ask for a new one.")


def _change(invitation: PatientInvitation, **values: object) -> None:
    for name, value in values.items():
        setattr(invitation, name, value)
    invitation.save(update_fields=[*values, "last_updated"])


def _invitation_url(client: Client) -> str:
    found = OrganizationClient.objects.filter(application=client).first()
    if found is None or not found.invitation_url:
        raise InvalidInput(f"Client {client.client_id} has no invitationUrl: give it one first.")
    return found.invitation_url


def _send(patient: Patient, client: Client, link: str) -> None:
    exchange = Setting.all_values()
    asked = f"Questions? {exchange['exchange.support_email']}\n" if exchange["exchange.support_email"] else ""
    send(
        to=patient.telecom_email,
        subject=f"{exchange['exchange.name']}: your invitation",
        text=(
            f"You are invited to use {client.name} with {exchange['exchange.name']}.\n\n"
            f"Open this link on the device where you want to use it, within {LIFETIME.days} days:\n\n{link}\n\n"
            f"It is meant for you alone. If you did not expect it, ignore this message.\n{asked}"
        ),
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
