"""Policy packs as rows."""

from django.db import models


class Pack(models.Model):
    """All numbers in force from an instant on, merged and written once."""

    version = models.TextField(primary_key=True)
    effective_from = models.DateTimeField()
    title = models.TextField()
    source = models.TextField()
    document = models.TextField()
    digest = models.BinaryField()
    loaded_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "policies_pack"
