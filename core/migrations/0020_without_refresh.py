"""A person can let a client in for one access token's life."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0019_narrowing_outlives_patient")]

    operations = [
        migrations.AddField(
            "clientconsent",
            "refreshes",
            models.BooleanField(
                default=True, help_text="Unless the person unticked what keeps the client connected (offline_access)."
            ),
        ),
    ]
