"""The weather as it was last known, as rows."""

from typing import ClassVar, Self

from django.db import models


class Weather(models.Model):
    """What was last known of a merchant's place, and how the last question ended."""

    pk = models.CompositePrimaryKey("merchant_id", "place")
    merchant_id = models.BigIntegerField()
    place = models.TextField()
    asked_at = models.DateTimeField()
    failure = models.TextField(null=True)
    provider = models.TextField(null=True)
    observed_at = models.DateTimeField(null=True)
    rain = models.TextField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()  # the checker knows of those in models.py alone

    class Meta:
        managed = False
        app_label = "channels"
        db_table = "channels_weather"
