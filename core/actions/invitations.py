"""Patients are invited to an app, which exchanges the invitation for a grant and that for tokens.

Who invites never becomes the patient. A first invitation makes the patient's account, and is shown to its issuer. Into
an account that is there already, an invitation goes by e-mail to that account's own address and to nobody else; and
where the patient has a password there is none, because they log in.

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

from core.actions.accounts import account_to_enter, address_for_login, end_access, make_login
from core.actions.acting import acting, record_write
from core.actions.client_consents import give
from core.actions.mail import send
from core.models import Client, OrganizationClient, Patient, PatientInvitation, Setting, User
from core.policy.errors import Conflict, Expired, InvalidInput, NotVisible, PermissionDenied
from core.policy.principal import Principal, UserType

LIFETIME = timedelta(days=7)
GRANT_LIFETIME = timedelta(minutes=10)
SCOPE = "openid offline_access patient/*.cruds"
"""What the app may do: everything that the patient may do with their own data."""

_TOKEN_LENGTH = 32
_Status = PatientInvitation.Status

_ONLY_BY_EMAIL = "{} has used an app already: a new invitation goes to the e-mail of their account, so set sendEmail."
_ACCOUNT_IS_THERE = "The patient has an account by now, which a first invitation does not open: ask for a new one."
_ACCOUNT_CHANGED = "The patient's account is not what it was when the invitation was sent: ask for a new one."


@dataclass(frozen=True, slots=True)
class Issued:
    """`token` and `link` are secrets that nobody can be shown again; None where they are the patient's alone."""

    invitation: PatientInvitation
    token: str | None
    link: str | None


def issue_invitation(*, actor: Principal, door: str, patient: Patient, client: Client, send_email: bool) -> Issued:
    """Invite a patient to an app, for a week; one that is open already gets a new token, and the old one is no good.

    For a patient without an account the answer has token and link. For one whose account has no password they are only
    mailed, to the account's e-mail: `send_email` must be true.

    The caller has fetched `patient` with PATIENT_MANAGE and `client` with `for_patient`. Raises Conflict for a patient
    who logs in already or cannot have a login, and without `send_email` where it is the only way; InvalidInput for a
    client that has no link to invite with; Unavailable when no e-mail can be sent. Then nothing has changed.
    """
    url = _invitation_url(client)
    token = get_random_string(_TOKEN_LENGTH)
    with acting(actor, door=door):
        patient = Patient.objects.select_for_update().get(pk=patient.pk)  # one invitation at a time
        account = account_to_enter(patient)
        if account and not send_email:
            raise Conflict(_ONLY_BY_EMAIL.format(patient))
        fresh = {
            "token_hash": _hash(token),
            "expires": timezone.now() + LIFETIME,
            "email": account.email if account else address_for_login(patient),
            "user": account,
            "issuer_id": actor.user_id,
        }
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
            _send(invitation, client, link)
    return Issued(invitation, None, None) if account else Issued(invitation, token, link)


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
    """The grant that an app gets for a token, once; of two who come at once, one.

    It makes the patient's account, by the e-mail that it was issued for; or it lets them into theirs again, and then
    every app that had access to it has none any more. Raises NotVisible for an unknown token; Conflict for a redeemed
    one, and where the patient's account is not what it was when the invitation was issued; PermissionDenied for a
    cancelled one, Expired for an old one.
    """
    with transaction.atomic():
        patient, invitation = _locked(token)
        _check_can_be_redeemed(invitation)
        user = _account_of(patient, invitation)
        code = secrets.token_urlsafe(32)
        give(user=user, application=invitation.client, code=code, scope=SCOPE)
        grant = Grant.objects.create(
            user=user,
            application=invitation.client,
            code=code,
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
        issued_by = {"issued_by": invitation.issuer_id}
        record_write(who, door=door, action="invitation_redeemed", patient_ids=[patient.pk], detail=issued_by)
    return grant


def verifier_of(token: str) -> str:
    """The PKCE code_verifier that belongs to the token of an invitation."""
    return _base64url(token.encode())


def _locked(token: str) -> tuple[Patient, PatientInvitation]:
    """The patient first, as where invitations are issued. Without their account, which may come to be meanwhile."""
    token_hash = _hash(token)
    patient = Patient.objects.select_for_update(of=("self",)).filter(invitations__token_hash=token_hash).first()
    found = PatientInvitation.objects.select_for_update(of=("self",)).select_related("client")
    invitation = found.filter(token_hash=token_hash).first()
    if patient is None or invitation is None:
        raise NotVisible("No such invitation: ask for a new one.")
    return patient, invitation


def _account_of(patient: Patient, invitation: PatientInvitation) -> User:
    account = account_to_enter(patient)
    if invitation.user_id is None:
        if account is not None:
            raise Conflict(_ACCOUNT_IS_THERE)
        return make_login(patient, invitation.email)
    if account is None or (account.pk, account.email) != (invitation.user_id, invitation.email):
        raise Conflict(_ACCOUNT_CHANGED)
    end_access(account)
    return account


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


def _send(invitation: PatientInvitation, client: Client, link: str) -> None:
    exchange = Setting.all_values()
    asked = f"Questions? {exchange['exchange.support_email']}\n" if exchange["exchange.support_email"] else ""
    ends = "Apps that you use so far are logged out then.\n" if invitation.user_id else ""
    send(
        to=invitation.email,
        subject=f"{exchange['exchange.name']}: your invitation",
        text=(
            f"You are invited to use {client.name} with {exchange['exchange.name']}.\n\n"
            f"Open this link on the device where you want to use it, within {LIFETIME.days} days:\n\n{link}\n\n"
            f"{ends}It is meant for you alone. If you did not expect it, ignore this message.\n{asked}"
        ),
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
