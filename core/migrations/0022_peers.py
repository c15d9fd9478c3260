from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0021_study_endpoints")]

    operations: list[migrations.operations.base.Operation] = []
