"""/invitation: a patient is invited to an app, and the app exchanges the invitation for a grant (RFC 6749 §4.1)."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework import serializers
from rest_framework.response import Response

from core.actions import invitations
from core.api.converters import ID
from core.api.serializers import CamelCase, IdField, PageQuery
from core.api.views import DOOR, RestView, operation
from core.authentication.bearer import address_of_client
from core.authentication.throttles import AddressThrottle
from core.models import Client, Patient, PatientInvitation
from core.models.fetch import fetch
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.permissions import Permission


class InvitationAnswer(CamelCase):
    """`client_id` is the client's name in OAuth, and as in OAuth it is spelled."""

    id = IdField()
    patient_id = IdField()
    client_id = serializers.CharField(source="client.client_id")
    status = serializers.ChoiceField(PatientInvitation.Status.choices, source="state")
    expires = serializers.DateTimeField()
    last_updated = serializers.DateTimeField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"client_id" if name == "clientId" else name: field for name, field in super().get_fields().items()}


class NewInvitationAnswer(InvitationAnswer):
    """The only answer that ever has the token and the link; null for a patient who has an account already."""

    token = serializers.CharField(allow_null=True)
    invitation_link = serializers.CharField(allow_null=True)


class NewInvitation(CamelCase):
    patient_id = IdField()
    client_id = serializers.CharField(max_length=100, help_text="Its name in OAuth, or the number of its row.")
    send_email = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Also send the link to the patient. A patient with an account gets it in no other way.",
    )


class InvitationQuery(PageQuery):
    patient_id = IdField(required=False, help_text="Only invitations of this patient.")
    client_id = serializers.CharField(required=False, help_text="Only to this client, by its name in OAuth.")


class Grant(serializers.Serializer[Any]):
    """What the app posts to the token endpoint, together with its `code_verifier`."""

    grant_type = serializers.ChoiceField(["authorization_code"])
    redirect_uri = serializers.CharField()
    client_id = serializers.CharField()
    code = serializers.CharField()


class GrantAnswer(serializers.Serializer[Any]):
    """The names are OAuth's."""

    grant = Grant()
    token_endpoint = serializers.URLField()
    expires = serializers.DateTimeField(help_text="Until when the grant can be redeemed.")


class InvitationList(RestView):
    @operation("Patient.s", query=InvitationQuery, answer=InvitationAnswer)
    def get(self) -> Any:
        given = self.conditions(patient_id="patient_id", client_id="client__client_id")
        return PatientInvitation.objects.visible_to(self.principal).filter(**given).select_related("client")

    def seen(self, rows: list[Any]) -> None:
        self.touched(row.patient_id for row in rows)

    @operation("Patient.u", body=NewInvitation, answer=NewInvitationAnswer, status=201)
    def post(self) -> Any:
        """Issues an invitation. While one of the patient to the client is open, that one gets a new token instead.

        A patient without an account gets one when it is redeemed. One whose account has no password gets the link by
        e-mail only, at the account's address, and the answer has neither token nor link; redeeming it logs out every
        app they used. One who has a password is not invited (409): the app sends them to the login page.
        """
        self.touched([self.body["patient_id"]])  # for the trail, if it is refused
        patient = fetch(Patient.objects.all(), self.body["patient_id"], self.principal, Permission.PATIENT_MANAGE)
        issued = invitations.issue_invitation(
            actor=self.principal,
            door=DOOR,
            patient=patient,
            client=self._client(patient),
            send_email=self.body["send_email"],
        )
        answer = self.render(InvitationAnswer, issued.invitation)
        secrets = {"token": issued.token, "invitationLink": issued.link}
        return Response({**answer, **secrets}, status=201, headers={"Cache-Control": "no-store"})

    def _client(self, patient: Patient) -> Client:
        name: str = self.body["client_id"]
        clients = Client.objects.for_patient(self.principal, patient)
        found = clients.filter(client_id=name).first()
        if found is None and ID.fullmatch(name):
            found = clients.filter(pk=int(name)).first()
        if found is None:
            raise NotVisible(f"{no_such('client', name)[:-1]} among those of your studies for this patient.")
        return found


class InvitationDetail(RestView):
    @operation("Patient.r", answer=InvitationAnswer)
    def get(self, pk: int) -> PatientInvitation:
        return self._invitation(pk)

    @operation("Patient.u")
    def delete(self, pk: int) -> None:
        """Cancels it: its row stays, with that status."""
        invitations.cancel_invitation(actor=self.principal, door=DOOR, invitation=self._invitation(pk))

    def _invitation(self, pk: int) -> PatientInvitation:
        invitation = fetch(PatientInvitation.objects.select_related("client"), pk, self.principal)
        self.touched([invitation.patient_id])
        return invitation


class InvitationToken(RestView):
    """Open to everybody, a few times a minute: who has the token has the link."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (AddressThrottle,)

    def require_scope(self, resource_type: str, interaction: Any) -> None:
        """Nobody has logged in."""

    @operation("", answer=GrantAnswer)
    def post(self, token: str) -> Any:
        """Redeems the invitation. The code_verifier of the grant is base64url(token) without padding."""
        source = address_of_client(self.request)
        grant = invitations.redeem_invitation(token=token, door=DOOR, source=source)
        answer = {
            "grant": {
                "grant_type": "authorization_code",
                "redirect_uri": grant.redirect_uri,
                "client_id": grant.application.client_id,
                "code": grant.code,
            },
            "token_endpoint": f"{settings.BASE_URL}{reverse('oauth2_provider:token')}",
            "expires": grant.expires,
        }
        return Response(answer, headers={"Cache-Control": "no-store"})
