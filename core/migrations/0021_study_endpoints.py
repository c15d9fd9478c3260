from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0020_without_refresh")]

    operations: list[migrations.operations.base.Operation] = []
