"""Tokens that are narrowed below what their person may, what people let clients do, and tokens for agents."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.sql import run, statement

_PERSONS = ("organization", "study", "patient", "enrolment", "observation", "upload")
_FOLLOWING = ("access_practitioner_v1", "access_catalogue_v1", "access_client_v1", "access_audit_v1")


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0011_observations"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
        migrations.swappable_dependency(settings.OAUTH2_PROVIDER_APPLICATION_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientConsent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "family",
                    models.UUIDField(
                        help_text="Of the refresh tokens that come of it (RefreshToken.token_family).", unique=True
                    ),
                ),
                ("scope", models.TextField(help_text="What was granted: words separated by spaces.")),
                (
                    "resource",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="What it was granted for (RFC 8707).",
                        size=None,
                    ),
                ),
                ("given", models.DateTimeField(auto_now_add=True)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="consents",
                        to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="client_consents",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ConsentedToken",
            fields=[
                (
                    "access_token",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="consented",
                        serialize=False,
                        to="oauth2_provider.accesstoken",
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tokens", to="core.clientconsent"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Narrowing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "everywhere",
                    models.BooleanField(
                        default=False, help_text="All studies and organizations of the person; none need be named then."
                    ),
                ),
                (
                    "every_code",
                    models.BooleanField(default=True, help_text="All kinds of data; none need be named then."),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="narrowings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="clientconsent",
            name="narrowing",
            field=models.ForeignKey(
                help_text="None: everything.",
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="client_consents",
                to="core.narrowing",
            ),
        ),
        migrations.CreateModel(
            name="NarrowingCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("letters", models.CharField(max_length=5)),
                (
                    "code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.codeableconcept"
                    ),
                ),
                (
                    "narrowing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="code_links", to="core.narrowing"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="narrowing",
            name="codes",
            field=models.ManyToManyField(related_name="+", through="core.NarrowingCode", to="core.codeableconcept"),
        ),
        migrations.CreateModel(
            name="NarrowingOrganization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "narrowing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organization_links",
                        to="core.narrowing",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.organization"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="narrowing",
            name="organizations",
            field=models.ManyToManyField(
                related_name="+", through="core.NarrowingOrganization", to="core.organization"
            ),
        ),
        migrations.CreateModel(
            name="NarrowingStudy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "narrowing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="study_links", to="core.narrowing"
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.study"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="narrowing",
            name="studies",
            field=models.ManyToManyField(related_name="+", through="core.NarrowingStudy", to="core.study"),
        ),
        migrations.CreateModel(
            name="McpToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("description", models.CharField(blank=True, max_length=255)),
                (
                    "token_hash",
                    models.CharField(help_text="SHA-256 of the token, in hexadecimal.", max_length=64, unique=True),
                ),
                ("scope", models.TextField(help_text="As of an access token: words separated by spaces.")),
                (
                    "permissions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="What it can do at most: <resource>:<action>.",
                        size=None,
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("expires", models.DateTimeField()),
                ("revoked", models.DateTimeField(null=True)),
                ("last_used", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mcp_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "narrowing",
                    models.OneToOneField(
                        help_text="None: everything.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="mcp_token",
                        to="core.narrowing",
                    ),
                ),
            ],
            options={
                "verbose_name": "MCP token",
                "ordering": ["id"],
                "indexes": [models.Index(fields=["user", "id"], name="mcp_token_of_user")],
            },
        ),
        migrations.AddIndex(
            model_name="clientconsent",
            index=models.Index(fields=["user", "application"], name="client_consent_of"),
        ),
        migrations.AddConstraint(
            model_name="narrowingcode",
            constraint=models.UniqueConstraint(fields=("narrowing", "code"), name="narrowing_code_once"),
        ),
        migrations.AddConstraint(
            model_name="narrowingorganization",
            constraint=models.UniqueConstraint(
                fields=("narrowing", "organization"), name="narrowing_organization_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="narrowingstudy",
            constraint=models.UniqueConstraint(fields=("narrowing", "study"), name="narrowing_study_once"),
        ),
        migrations.AddConstraint(
            model_name="narrowing",
            constraint=models.CheckConstraint(condition=models.Q(("id__lt", 0)), name="narrowing_is_no_person"),
        ),
        run(
            "narrowed_access_v1",
            reverse=[
                "DROP VIEW access_audit, access_client, access_practitioner, access_catalogue",
                "DROP VIEW access_upload, access_observation, access_enrolment, access_patient, access_study",
                "DROP VIEW access_organization, narrowing_study",
                *(f"ALTER VIEW person_{name} RENAME TO access_{name}" for name in _PERSONS),
                "GRANT SELECT ON access_organization, access_study, access_patient, access_enrolment TO jhe_mcp",
                "GRANT SELECT ON access_observation TO jhe_mcp",
                *(statement(name) for name in _FOLLOWING),
            ],
        ),
        run("access_token_v2", reverse=["DROP VIEW access_token", statement("access_token_v1")]),
    ]
