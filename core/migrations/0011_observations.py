"""How observations are searched, a page at a time, and who may send them."""

from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0010_bulk")]

    operations = [
        migrations.RemoveIndex("observation", "obs_updated"),
        migrations.AddIndex(
            "observation", models.Index(fields=["patient", "code", "last_updated", "id"], name="obs_changed")
        ),
        migrations.AddIndex(
            "observation",
            models.Index(
                fields=["patient", "code", "effective_end"],
                condition=models.Q(effective_end__isnull=False),
                name="obs_period",
            ),
        ),
        run(
            "observation_page_v1",
            reverse="""
            DROP FUNCTION observation_fits;
            DROP VIEW observation_row;
            DROP FUNCTION granted_observations;
            """,
        ),
        run("access_upload_v1", reverse="DROP VIEW access_upload"),
    ]
