"""History as rows; the tables and the chaining are in sql/."""

from django.db import models


class Link(models.Model):
    """One event, or one batch of rows, in the chain of a merchant."""

    pk = models.CompositePrimaryKey("merchant_id", "seq")
    merchant_id = models.BigIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.TextField()
    verb = models.TextField()
    subject = models.TextField()
    detail = models.JSONField()
    rows_digest = models.BinaryField(null=True)
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "history_link"
