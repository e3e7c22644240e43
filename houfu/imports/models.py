"""Imports as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Import(models.Model):
    """A set of files that is taken in under one mapping."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    digest = models.BinaryField()
    files = ArrayField(models.TextField())
    mapping = models.TextField()
    state = models.TextField()
    started_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "imports_import"
