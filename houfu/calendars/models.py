"""The calendar as rows."""

from django.db import models


class Year(models.Model):
    """A year whose official days are known, and from where."""

    year = models.SmallIntegerField(primary_key=True)
    source = models.TextField()
    loaded_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "calendars_year"


class Day(models.Model):
    """A weekday off, or a weekend day worked."""

    day = models.DateField(primary_key=True)
    workday = models.BooleanField()
    name = models.TextField()

    class Meta:
        managed = False
        db_table = "calendars_day"
