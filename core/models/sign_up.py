from django.conf import settings
from django.db import models

from core.models.practitioner import ROLE_CHOICES


class SignUpCode(models.Model):
    """Lets somebody sign up, and may give them a role. Of the code itself only the hash is kept."""

    code_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the code, in hexadecimal.")
    organization = models.ForeignKey("core.Organization", models.CASCADE, null=True, blank=True, related_name="+")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES, blank=True)
    email = models.EmailField(blank=True, help_text="Whom it is for; empty for whoever has it.")
    expires = models.DateTimeField()
    uses_left = models.PositiveSmallIntegerField(default=1)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_up_codes")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(organization=None, role="")
                | models.Q(organization__isnull=False) & ~models.Q(role=""),
                name="sign_up_code_role_in_organization",
            )
        ]

    def __str__(self) -> str:
        return f"Sign-up code {self.pk}"

    def hold_for(self, user: models.Model) -> None:
        SignUp.objects.create(user_id=user.pk, code=self)


class SignUp(models.Model):
    """What somebody who signed up gets as soon as their e-mail is verified."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_up")
    code = models.ForeignKey(SignUpCode, models.CASCADE, related_name="sign_ups")

    def __str__(self) -> str:
        return f"Sign-up of user {self.user_id}"
