from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    operations = run("kernel", "tables.sql", "kernel_context_v1.sql")
