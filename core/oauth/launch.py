"""SMART App Launch 2.2, standalone: which patient an app is about, and who its user is in FHIR."""

from collections.abc import Collection

from django.conf import settings
from django.db.models import Q
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError

from core.models import ClientConsent, Patient, User
from core.policy.principal import Principal, UserType
from core.policy.scopes import LAUNCH_PATIENT

FHIR_URL = f"{settings.BASE_URL}/FHIR/R5"
_MAX_ID = 2**63


def chooses_patient(user: User, scopes: Collection[str]) -> bool:
    """Whether somebody has to say which patient an app is about: of patients it is they themselves."""
    return LAUNCH_PATIENT in scopes and user.user_type is UserType.PRACTITIONER


def check_patient(user: User, scopes: Collection[str], patient: int | None) -> None:
    """Raises the OAuth error `invalid_scope` for an app that wants to know a patient, where there is none to name."""
    if chooses_patient(user, scopes) and patient is None:
        raise InvalidScopeError(description="A practitioner chooses the patient of launch/patient on the consent page.")
    if LAUNCH_PATIENT in scopes and user.user_type is UserType.PATIENT and not Patient.objects.filter(user=user):
        raise InvalidScopeError(description="This account belongs to no patient.")


def patient_named(said: str, principal: Principal) -> Patient | None:
    """The patient that somebody sees and means: a number, or exactly one with this identifier or e-mail address."""
    said = said.strip()
    named = Q(identifiers__value=said) | Q(user__email__iexact=said) | Q(telecom_email__iexact=said)
    if said.isascii() and said.isdigit() and int(said) < _MAX_ID:
        named |= Q(pk=int(said))
    found = list(Patient.objects.visible_to(principal).filter(named).distinct()[:2])
    return found[0] if len(found) == 1 else None


def patient_in_context(user: User, consent: ClientConsent | None) -> str | None:
    """The `patient` of a token response (SMART App Launch 2.2, launch context)."""
    if user.user_type is UserType.PATIENT:
        patient = Patient.objects.filter(user=user).values_list("pk", flat=True).first()
    else:
        patient = consent.narrowing.patient_id if consent and consent.narrowing else None
    return str(patient) if patient is not None else None


def fhir_user(user: User) -> str | None:
    """The claim `fhirUser`: the URL of somebody's own record, as the practitioner they come in as or as the patient."""
    if practitioner := getattr(user, "practitioner", None):
        return f"{FHIR_URL}/Practitioner/{practitioner.pk}"
    patient = getattr(user, "patient", None)
    return f"{FHIR_URL}/Patient/{patient.pk}" if patient else None


def check_audience(request: Request) -> None:
    """`aud` is the FHIR server that an app is going to send its token to: a false one is not to get it."""
    for name, value in request.uri_query_params:
        if name == "aud" and value.rstrip("/") not in (settings.BASE_URL, FHIR_URL, f"{settings.BASE_URL}/fhir/r5"):
            raise InvalidRequestError(description=f"The FHIR server of this exchange is {FHIR_URL}.", request=request)
