"""Invented rows for tests, one factory per model, each with what the database requires and nothing more.

`EnrolmentFactory(study=…, patient=…)` also makes the patient one of the study's organization, and
`ConsentFactory(study=…, patient=…, code=…)` also enrols the patient and has the study request the code.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory
from oauth2_provider.models import Application

from core import models
from core.models.code import OPEN_MHEALTH


class UserFactory(DjangoModelFactory[models.User]):
    class Meta:
        model = models.User

    email = factory.Sequence(lambda n: f"person{n}@test.invalid")
    first_name = factory.Faker("first_name")
    last_name = factory.Faker("last_name")
    password = factory.django.Password(None)  # none fits, until a test gives one


class OrganizationFactory(DjangoModelFactory[models.Organization]):
    class Meta:
        model = models.Organization

    name = factory.Sequence(lambda n: f"Organization {n}")
    type = models.Organization.Type.LABORATORY


class PractitionerFactory(DjangoModelFactory[models.Practitioner]):
    class Meta:
        model = models.Practitioner

    user = factory.SubFactory(UserFactory)
    name_given = factory.SelfAttribute("user.first_name")
    name_family = factory.SelfAttribute("user.last_name")


class MembershipFactory(DjangoModelFactory[models.PractitionerOrganization]):
    class Meta:
        model = models.PractitionerOrganization

    practitioner = factory.SubFactory(PractitionerFactory)
    organization = factory.SubFactory(OrganizationFactory)
    role = "viewer"


class PatientFactory(DjangoModelFactory[models.Patient]):
    """`PatientFactory(organizations=[lab])` also makes the patient theirs."""

    class Meta:
        model = models.Patient
        skip_postgeneration_save = True

    name_given = factory.Faker("first_name")
    name_family = factory.Faker("last_name")
    birth_date = date(1980, 5, 17)

    @factory.post_generation
    def organizations(self: models.Patient, _created: bool, organizations: list[models.Organization] | None) -> None:
        for organization in organizations or []:
            models.PatientOrganization.objects.create(patient=self, organization=organization)


class PatientIdentifierFactory(DjangoModelFactory[models.PatientIdentifier]):
    class Meta:
        model = models.PatientIdentifier

    patient = factory.SubFactory(PatientFactory)
    system = "https://test.invalid/ids"
    value = factory.Sequence(lambda n: f"P-{n}")


class CodeFactory(DjangoModelFactory[models.CodeableConcept]):
    class Meta:
        model = models.CodeableConcept
        django_get_or_create = ("coding_system", "coding_code")

    coding_system = OPEN_MHEALTH
    coding_code = factory.Sequence(lambda n: f"omh:kind-{n}:1.0")
    text = factory.LazyAttribute(lambda code: code.coding_code)


class DataSourceFactory(DjangoModelFactory[models.DataSource]):
    class Meta:
        model = models.DataSource

    name = factory.Sequence(lambda n: f"Device {n}")


class StudyFactory(DjangoModelFactory[models.Study]):
    """`StudyFactory(scopes=[glucose])` also requests them."""

    class Meta:
        model = models.Study
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Study {n}")
    organization = factory.SubFactory(OrganizationFactory)

    @factory.post_generation
    def scopes(self: models.Study, _created: bool, scopes: list[models.CodeableConcept] | None) -> None:
        for code in scopes or []:
            models.StudyScopeRequest.objects.create(study=self, code=code)


class EnrolmentFactory(DjangoModelFactory[models.StudyPatient]):
    class Meta:
        model = models.StudyPatient
        django_get_or_create = ("study", "patient")

    study = factory.SubFactory(StudyFactory)
    patient = factory.SubFactory(PatientFactory)

    @classmethod
    def _create(cls, model_class: type[models.StudyPatient], *args: Any, **kwargs: Any) -> models.StudyPatient:
        models.PatientOrganization.objects.get_or_create(
            patient=kwargs["patient"], organization=kwargs["study"].organization
        )
        return super()._create(model_class, *args, **kwargs)


class ConsentFactory(DjangoModelFactory[models.StudyPatientScopeConsent]):
    class Meta:
        model = models.StudyPatientScopeConsent

    study = factory.SubFactory(StudyFactory)
    patient = factory.SubFactory(PatientFactory)
    code = factory.SubFactory(CodeFactory)
    consented = True

    @classmethod
    def _create(
        cls, model_class: type[models.StudyPatientScopeConsent], *args: Any, **kwargs: Any
    ) -> models.StudyPatientScopeConsent:
        EnrolmentFactory(study=kwargs["study"], patient=kwargs["patient"])
        models.StudyScopeRequest.objects.get_or_create(study=kwargs["study"], code=kwargs["code"])
        return super()._create(model_class, *args, **kwargs)


class ObservationFactory(DjangoModelFactory[models.Observation]):
    """A row as a model, for tests of access and of paging; what senders send goes through record_observations."""

    class Meta:
        model = models.Observation

    patient = factory.SubFactory(PatientFactory)
    code = factory.SubFactory(CodeFactory)
    effective_start = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
    omh_data = factory.LazyFunction(lambda: {"header": {}, "body": {}})


class ObservationIdentifierFactory(DjangoModelFactory[models.ObservationIdentifier]):
    class Meta:
        model = models.ObservationIdentifier

    observation = factory.SubFactory(ObservationFactory)
    patient = factory.SelfAttribute("observation.patient")
    system = "https://test.invalid/observations"
    value = factory.Sequence(lambda n: f"O-{n}")


class OrganizationClientFactory(DjangoModelFactory[models.OrganizationClient]):
    """A public client of an organization, that patients can be invited to."""

    class Meta:
        model = models.OrganizationClient

    organization = factory.SubFactory(OrganizationFactory)
    invitation_url = "https://app.test.invalid/open?code=CODE"

    @factory.lazy_attribute_sequence
    def application(self, number: int) -> Application:
        return Application.objects.create(
            name=f"App {number}",
            client_type=Application.CLIENT_PUBLIC,
            authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
            redirect_uris="https://app.test.invalid/callback",
            algorithm=Application.RS256_ALGORITHM,
        )


class InvitationFactory(DjangoModelFactory[models.PatientInvitation]):
    """One that nobody can redeem: its token is not known."""

    class Meta:
        model = models.PatientInvitation

    patient = factory.SubFactory(PatientFactory)
    client = factory.LazyFunction(lambda: OrganizationClientFactory().application)
    token_hash = factory.Sequence(lambda n: f"{n:064x}")
    expires = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))
    email = "invited@test.invalid"
