"""Consents remember where they were given and when their person had logged in; devices ask for resources."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0016_mcp_tokens"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="clientconsent",
            name="redirect_uri",
            field=models.TextField(
                blank=True, default="", help_text="Where the answer went; empty where none was sent anywhere."
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="clientconsent",
            name="authenticated",
            field=models.DateTimeField(
                default=django.utils.timezone.now, help_text="When the person had logged in (auth_time)."
            ),
        ),
        migrations.AddField(
            model_name="organizationclient",
            name="device_flow",
            field=models.BooleanField(
                default=False, help_text="Also logs people in on machines without a browser (RFC 8628)."
            ),
        ),
        migrations.CreateModel(
            name="DeviceRequest",
            fields=[
                (
                    "device_grant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="request",
                        serialize=False,
                        to="oauth2_provider.devicegrant",
                    ),
                ),
                (
                    "resource",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="What tokens are asked for (RFC 8707).",
                        size=None,
                    ),
                ),
            ],
        ),
    ]
