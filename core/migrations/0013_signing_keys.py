"""Keys that sign tokens, services that may ask what a token is, and what a client that registered itself may not be."""

import django.db.models.deletion
from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):

    dependencies = [
        ("core", "0012_identity"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("kid", models.CharField(help_text="RFC 7638: the thumbprint of the public part.", max_length=43, primary_key=True, serialize=False)),
                ("algorithm", models.CharField(choices=[("RS256", "RS256"), ("ES256", "ES256")], max_length=5)),
                ("public", models.JSONField(help_text="JWK (RFC 7517) of the public part.")),
                ("private", models.TextField(blank=True, editable=False, help_text="JWK of both parts, encrypted (Fernet).")),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("active_from", models.DateTimeField(help_text="Signs from then on, until a newer one does.")),
                ("verify_until", models.DateTimeField(help_text="Not published any longer. None: nobody has replaced it.", null=True)),
            ],
            options={"ordering": ["-active_from"]},
        ),
        migrations.CreateModel(
            name="ResourceServer",
            fields=[
                ("application", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="resource_server", serialize=False, to="oauth2_provider.application")),
            ],
            options={"ordering": ["application_id"]},
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("password__startswith", "machine_hmac_sha256$"), _negated=True),
                name="user_password_is_hashed_slowly",
            ),
        ),
        run(
            "known_clients_v1",
            reverse=[
                "DROP TRIGGER study_client_is_known ON core_studyclient",
                "DROP TRIGGER organization_client_is_known ON core_organizationclient",
                "DROP TRIGGER resource_server_is_known ON core_resourceserver",
                "DROP FUNCTION refuse_unknown_client",
            ],
        ),
    ]
