from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("merchants", "0001_initial"), ("ledger", "0001_initial")]
    operations = run(
        "limits",
        "tables.sql",
        "limits_pool_usable_v1.sql",
        "limits_facts_v1.sql",
        "limits_reach_v1.sql",
        "limits_plan_v1.sql",
        "limits_draw_v1.sql",
        "limits_book_v1.sql",
    )
