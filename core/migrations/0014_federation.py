"""Grants without a consent page: practitioners' own clients and other issuers' tokens; tokens for a single patient."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.sql import run, statement

_BEFORE = ("access_patient", "access_enrolment", "access_observation", "access_upload", "access_audit", "access_client")


def _replacing(name: str) -> str:
    """The statement of narrowed_access_v1 that makes this view."""
    [made] = [text for text in statement("narrowed_access_v1").split(";\n") if f"CREATE VIEW {name} AS" in text]
    return made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW")


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0013_signing_keys"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PractitionerClient",
            fields=[
                (
                    "application",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="practitioner_client",
                        serialize=False,
                        to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
                    ),
                ),
                ("scope", models.TextField(help_text="What it may ask for: words separated by spaces.")),
                (
                    "narrowing",
                    models.OneToOneField(
                        help_text="None: everything of its owner.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="core.narrowing",
                    ),
                ),
            ],
            options={"ordering": ["application_id"]},
        ),
        migrations.CreateModel(
            name="FederatedIdentity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("issuer", models.CharField(help_text="As its tokens spell it (iss).", max_length=500)),
                ("subject", models.CharField(help_text="Who it is there, as its tokens say it (sub).", max_length=255)),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="federated_identities",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["id"], "verbose_name_plural": "federated identities"},
        ),
        migrations.AddConstraint(
            "federatedidentity",
            models.UniqueConstraint(fields=("issuer", "subject"), name="federated_identity_unique"),
        ),
        migrations.CreateModel(
            name="UsedAssertion",
            fields=[
                (
                    "key",
                    models.CharField(
                        help_text="SHA-256 of its issuer and jti, in hexadecimal.",
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "expires",
                    models.DateTimeField(db_index=True, help_text="After this it would be refused for its age."),
                ),
            ],
        ),
        migrations.AddField(
            "narrowing",
            "patient",
            models.ForeignKey(
                help_text="The one patient who is left; None: all.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="core.patient",
            ),
        ),
        migrations.AddField(
            "narrowing",
            "access_token",
            models.OneToOneField(
                help_text="The one token that this is for, and that it goes with.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="narrowing",
                to="oauth2_provider.accesstoken",
            ),
        ),
        run("narrowed_access_v2", reverse=[_replacing(name) for name in _BEFORE[:-1]]),
        run("access_client_v2", reverse=_replacing("access_client")),
        run(
            "access_token_v3",
            reverse=statement("access_token_v2"),
        ),
    ]
