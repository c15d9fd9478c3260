"""What REST needs beside the rest: practitioners' and clients' access, finding a patient by e-mail, when an answer was
given in the consent history, the organizations of clients, invitations, settings."""

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from core.sql import run

CONSENT_REMEMBER_V1 = """
CREATE OR REPLACE FUNCTION consent_remember() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept core_studypatientscopeconsent := COALESCE(NEW, OLD);
BEGIN
    INSERT INTO core_consenthistory
        (recorded, study_id, patient_id, code_id, before, after, user_id, client_id, method)
    VALUES (
        clock_timestamp(), kept.study_id, kept.patient_id, kept.code_id, OLD.consented, NEW.consented,
        NULLIF(current_setting('jhe.user_id', true), '')::bigint,
        COALESCE(current_setting('jhe.client_id', true), ''),
        COALESCE(current_setting('jhe.method', true), '')
    );
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0007_sealed_audit")]

    operations = [
        run("access_practitioner_v1", reverse="DROP VIEW access_practitioner"),
        run("access_catalogue_v1", reverse="DROP VIEW access_catalogue"),
        migrations.CreateModel(
            name="PractitionerAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("practitioner_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_practitioner", "managed": False},
        ),
        migrations.CreateModel(
            name="CatalogueAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
            ],
            options={"db_table": "access_catalogue", "managed": False},
        ),
        migrations.CreateModel(
            name="EnrolmentAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("study_id", models.BigIntegerField()),
                ("patient_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_enrolment", "managed": False},
        ),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(django.db.models.functions.text.Upper("telecom_email"), name="patient_by_email"),
        ),
        migrations.AddField(
            model_name="consenthistory", name="consented_time", field=models.DateTimeField(null=True)
        ),
        run("consent_v2", reverse=CONSENT_REMEMBER_V1),
        migrations.CreateModel(
            name="Client",
            fields=[],
            options={"verbose_name": "client", "proxy": True, "indexes": [], "constraints": []},
            bases=("oauth2_provider.application",),
        ),
        migrations.CreateModel(
            name="OrganizationClient",
            fields=[
                (
                    "application",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="organization_client",
                        serialize=False,
                        to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
                    ),
                ),
                ("invitation_url", models.CharField(blank=True, max_length=1000)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="clients", to="core.organization"
                    ),
                ),
            ],
            options={"ordering": ["application_id"]},
        ),
        run("access_client_v1", reverse="DROP VIEW access_client"),
        migrations.CreateModel(
            name="ClientAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("application_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_client", "managed": False},
        ),
        migrations.CreateModel(
            name="PatientInvitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("issued", "Issued"),
                            ("reissued", "Issued again, with a new token"),
                            ("redeemed", "Redeemed"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="issued",
                        max_length=16,
                    ),
                ),
                (
                    "token_hash",
                    models.CharField(help_text="SHA-256 of the token, in hexadecimal.", max_length=64, unique=True),
                ),
                ("expires", models.DateTimeField()),
                (
                    "email",
                    models.EmailField(
                        help_text="Whom it was issued for: a change of the patient's record does not move it.",
                        max_length=254,
                    ),
                ),
                ("last_updated", models.DateTimeField(auto_now=True)),
                (
                    "user",
                    models.ForeignKey(
                        help_text="The account that it lets the patient into again; none where redeeming it makes one.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="invitations", to="core.patient"
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["issued", "reissued"])),
                        fields=("patient", "client"),
                        name="one_open_invitation_per_patient_and_client",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Setting",
            fields=[
                (
                    "key",
                    models.CharField(
                        choices=[
                            ("exchange.name", "exchange.name"),
                            ("exchange.privacy_url", "exchange.privacy_url"),
                            ("exchange.support_email", "exchange.support_email"),
                            ("exchange.terms_url", "exchange.terms_url"),
                        ],
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("value", models.CharField(max_length=500)),
            ],
            options={"ordering": ["key"]},
        ),
        migrations.AddField(
            model_name="user",
            name="settings",
            field=models.JSONField(
                blank=True, default=dict, help_text="What their clients keep for them: a JSON object."
            ),
        ),
    ]
