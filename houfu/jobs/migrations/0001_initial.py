from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("history", "0001_initial"), ("people", "0001_initial")]
    operations = run("jobs", "tables.sql")
