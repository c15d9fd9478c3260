"""A token for one patient outlives the patient, and reaches nobody then."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0018_narrowed_callers")]

    operations = [
        migrations.AlterField(
            "narrowing",
            "patient",
            models.ForeignKey(
                db_constraint=False,
                help_text="The one patient who is left; None: all.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="core.patient",
            ),
        ),
    ]
