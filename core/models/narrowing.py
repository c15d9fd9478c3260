"""What a token is narrowed to, below what its person may."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce


class Narrowing(models.Model):
    """A person with less in reach: the access views answer for its id, which is negative, as they do for a person's.

    Nothing is granted here. The views give a narrowing what its person reaches at that moment and what is named here
    besides; a superuser counts as a manager then, and an organization that only runs a named study is only named.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="narrowings")
    everywhere = models.BooleanField(
        default=False, help_text="All studies and organizations of the person; none need be named then."
    )
    every_code = models.BooleanField(default=True, help_text="All kinds of data; none need be named then.")
    patient = models.ForeignKey(
        "core.Patient",
        models.DO_NOTHING,  # whose patient is deleted keeps the id, and is left nobody
        db_constraint=False,
        null=True,
        related_name="+",
        help_text="The one patient who is left; None: all.",
    )
    access_token = models.OneToOneField(
        "oauth2_provider.AccessToken",
        models.CASCADE,
        null=True,
        related_name="narrowing",
        help_text="The one token that this is for, and that it goes with.",
    )
    job = models.OneToOneField(
        "core.BulkJob",
        models.CASCADE,
        null=True,
        related_name="narrowing",
        help_text="The one job that this is for, and that it goes with.",
    )
    within = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        related_name="narrower",
        help_text="The narrowing that this cuts further, and goes with; None: what the person reaches.",
    )
    endpoint = models.ForeignKey(
        "core.Study",
        models.CASCADE,
        null=True,
        related_name="+",
        help_text="The study whose MCP endpoint this is for.",
    )
    studies = models.ManyToManyField("core.Study", through="NarrowingStudy", related_name="+")
    organizations = models.ManyToManyField("core.Organization", through="NarrowingOrganization", related_name="+")
    codes = models.ManyToManyField("core.CodeableConcept", through="NarrowingCode", related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id__lt=0), name="narrowing_is_no_person"),
            models.UniqueConstraint(
                models.F("user"), Coalesce("within", 0), models.F("endpoint"), name="narrowing_once_per_endpoint"
            ),
        ]

    def __str__(self) -> str:
        return f"Narrowing {self.pk} of user {self.user_id}"

    def leaves_what(self, other: "Narrowing") -> bool:
        """Whether both leave the same."""
        return self._left() == other._left()

    def _left(self) -> object:
        organizations = self.organization_links.values_list("organization_id", "with_studies")
        return (
            self.everywhere,
            self.every_code,
            self.patient_id,
            set(self.study_links.values_list("study_id", flat=True)),
            set(organizations),
            set(self.code_links.values_list("code_id", "letters")),
        )


class NarrowingStudy(models.Model):
    narrowing = models.ForeignKey(Narrowing, models.CASCADE, related_name="study_links")
    study = models.ForeignKey("core.Study", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["narrowing", "study"], name="narrowing_study_once")]

    def __str__(self) -> str:
        return f"Study {self.study_id} of narrowing {self.narrowing_id}"


class NarrowingOrganization(models.Model):
    """With everything that is the organization's, its patients and its studies; or of the studies only those named."""

    narrowing = models.ForeignKey(Narrowing, models.CASCADE, related_name="organization_links")
    organization = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    with_studies = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["narrowing", "organization"], name="narrowing_organization_once")
        ]

    def __str__(self) -> str:
        return f"Organization {self.organization_id} of narrowing {self.narrowing_id}"


class NarrowingCode(models.Model):
    """A kind of data, and which of SMART's letters `cruds` the token has for observations of it."""

    narrowing = models.ForeignKey(Narrowing, models.CASCADE, related_name="code_links")
    code = models.ForeignKey("core.CodeableConcept", models.CASCADE, related_name="+")
    letters = models.CharField(max_length=5)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["narrowing", "code"], name="narrowing_code_once")]

    def __str__(self) -> str:
        return f"Code {self.code_id} of narrowing {self.narrowing_id}"
