"""OAuth clients: the library's rows, and what the exchange knows of them."""

from typing import Self

from django.db import models
from oauth2_provider.models import Application

from core.models.access import Access
from core.models.patient import Patient
from core.models.study import Study, StudyClient
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ClientAccess(Access):
    application_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_client"


class ClientQuerySet(models.QuerySet["Client"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.STUDY_READ) -> Self:
        return self.filter(ClientAccess.reaching(principal, permission, application_id="pk"))

    def for_patient(self, principal: Principal, patient: Patient) -> Self:
        """Those of the studies that this person manages in the patient's organizations: to these they can invite."""
        studies = Study.objects.visible_to(principal, Permission.STUDY_MANAGE).filter(
            organization__patient_organizations__patient=patient
        )
        links = StudyClient.objects.filter(client=models.OuterRef("pk"), study__in=studies.values("pk"))
        return self.filter(models.Exists(links))


class Client(Application):
    """An OAuth client, as the library keeps it."""

    objects = ClientQuerySet.as_manager()

    class Meta:
        proxy = True
        verbose_name = "client"

    @property
    def is_own(self) -> bool:
        """Whether it is a practitioner's own, and not one that people log in with."""
        return hasattr(self, "practitioner_client")

    @property
    def grant_type(self) -> str:
        """As OAuth spells it (RFC 6749); the library spells one and the same grant in two ways."""
        return str(self.authorization_grant_type).replace("-", "_")

    @property
    def redirects(self) -> list[str]:
        return str(self.redirect_uris).split()


class ResourceServer(models.Model):
    """A service that takes this exchange's tokens, so that it may ask what each of them is (RFC 7662).

    Only a superuser says that a client is one. A client that registered itself never is, nor does it belong to an
    organization or a study: the database sees to that (core/sql/known_clients_v1.sql).
    """

    application = models.OneToOneField(
        "oauth2_provider.Application", models.CASCADE, primary_key=True, related_name="resource_server"
    )

    class Meta:
        ordering = ["application_id"]

    def __str__(self) -> str:
        return f"Resource server {self.application_id}"


class OrganizationClient(models.Model):
    """An OAuth client of an organization, whose managers look after it.

    `invitation_url` is where a patient begins who was invited to the app; CODE in it becomes the invitation's code.
    """

    application = models.OneToOneField(
        "oauth2_provider.Application", models.CASCADE, primary_key=True, related_name="organization_client"
    )
    organization = models.ForeignKey("core.Organization", models.PROTECT, related_name="clients")
    invitation_url = models.CharField(max_length=1_000, blank=True)
    device_flow = models.BooleanField(
        default=False, help_text="Also logs people in on machines without a browser (RFC 8628)."
    )

    class Meta:
        ordering = ["application_id"]

    def __str__(self) -> str:
        return f"Client {self.application_id} of {self.organization}"


class PractitionerClient(models.Model):
    """A practitioner's own client: it acts for its owner (Application.user) by its secret alone (RFC 6749 §4.4).

    It never does more than its owner may at that moment, nor than what it was made for.
    """

    application = models.OneToOneField(
        "oauth2_provider.Application", models.CASCADE, primary_key=True, related_name="practitioner_client"
    )
    scope = models.TextField(help_text="What it may ask for: words separated by spaces.")
    narrowing = models.OneToOneField(
        "core.Narrowing", models.RESTRICT, null=True, related_name="+", help_text="None: everything of its owner."
    )

    class Meta:
        ordering = ["application_id"]

    def __str__(self) -> str:
        return f"Client {self.application_id} of its owner"

    @property
    def scopes(self) -> list[str]:
        return self.scope.split()
