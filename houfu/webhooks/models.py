"""Webhooks as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Endpoint(models.Model):
    """Where a merchant's history is told."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    place = models.SmallIntegerField()
    url = models.TextField()
    verbs = ArrayField(models.TextField())
    state = models.TextField()
    disabled_for = models.TextField(null=True)
    told_from = models.BigIntegerField()
    cursor = models.BigIntegerField()
    failures = models.IntegerField()
    rests_until = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    latency_ms = models.IntegerField(null=True)
    added_at = models.DateTimeField()
    partner_id = models.BigIntegerField(null=True)
    store_ids = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        managed = False
        db_table = "webhooks_endpoint"


class Key(models.Model):
    """What signs for an endpoint."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    endpoint_id = models.BigIntegerField()
    public_key = models.TextField()
    secret_sealed = models.BinaryField()
    private_sealed = models.BinaryField()
    made_at = models.DateTimeField()
    retires_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "webhooks_key"


class Delivery(models.Model):
    """One link of history for one endpoint."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    endpoint_id = models.BigIntegerField()
    seq = models.BigIntegerField()
    state = models.TextField()
    tries = models.IntegerField()
    since = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    attempts = models.IntegerField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "webhooks_delivery"


class Attempt(models.Model):
    """One attempt at a delivery, and how it ended."""

    pk = models.CompositePrimaryKey("merchant_id", "delivery_id", "no")
    merchant_id = models.BigIntegerField()
    delivery_id = models.BigIntegerField()
    no = models.IntegerField()
    at = models.DateTimeField()
    outcome = models.TextField()
    status = models.SmallIntegerField(null=True)
    latency_ms = models.IntegerField()

    class Meta:
        managed = False
        db_table = "webhooks_attempt"
