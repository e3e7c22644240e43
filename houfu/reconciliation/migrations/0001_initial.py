from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("payouts", "0001_initial")]
    operations = run("reconciliation", "tables.sql", "reconciliation_known_v1.sql", "reconciliation_keep_v1.sql")
