"""Jobs over HTTP: asked for, watched, had as a file; another merchant's look as if they were not there."""

import json
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.test import Client

from houfu.history import queries as history
from houfu.jobs import queries, runner
from houfu.jobs.models import Job
from houfu.jobs.tests.ground import REASON, open_shop, records, sell
from houfu.people import actions as people
from houfu.testing.world import MERCHANT_SCOPES, OPERATOR

pytestmark = pytest.mark.usefixtures("db")


class Http:
    """A merchant's program."""

    def __init__(self, shop):
        _, token = people.create_key(
            by=OPERATOR, merchant_id=shop.merchant_id, name="erp", person="erp",
            scopes=sorted(MERCHANT_SCOPES - {"risk:write"}),
        )  # fmt: skip
        self.client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {token}"})

    def __call__(self, method, path, body=None, **headers):
        content = "" if body is None else json.dumps(body)
        return self.client.generic(method, f"/v1{path}", content, "application/json", headers=headers)


def asked(**changes):
    return {"what": "orders", "format": "csv", "filters": {}, "reason": REASON, "language": "en", **changes}


def test_an_export_is_asked_for_watched_and_had():
    shop = sell(3)
    http = Http(shop)
    said = http("POST", "/exports", asked(filters={"state": "authorised"}))
    assert said.status_code == 201
    job = said.json()
    assert (job["kind"], job["state"], job["done"], job["file"]) == ("export.orders", "waiting", 0, None)
    assert http("GET", f"/jobs/{job['id']}/file").json()["code"] == "job_file_gone"
    runner.finish(shop.merchant_id, Job.objects.get(merchant_id=shop.merchant_id).id)
    job = http("GET", f"/jobs/{job['id']}").json()
    assert (job["state"], job["done"], job["of"], job["result"]) == ("done", 3, 3, {"rows": 3})
    assert [each["id"] for each in http("GET", "/jobs").json()["items"]] == [job["id"]]
    file = http("GET", f"/jobs/{job['id']}/file")
    content = file.getvalue()
    assert {row["id"] for row in records(content)} == set(shop.placed)
    assert int(file["Content-Length"]) == len(content) == job["file"]["bytes"]
    assert unquote(file["Content-Disposition"]).endswith("orders-2025-11-10.csv")
    assert (file["Content-Type"], file["Cache-Control"]) == ("text/csv; charset=utf-8", "private, no-store")
    assert history.links(shop.merchant_id, limit=1)[0].verb == "job.handed_over"


def test_the_list_has_pages_and_states():
    shop = open_shop()
    http = Http(shop)
    ids = [http("POST", "/exports", asked()).json()["id"] for _ in range(3)]
    http("POST", f"/jobs/{ids[0]}:cancel")
    first = http("GET", "/jobs?limit=2").json()
    rest = http("GET", f"/jobs?limit=2&cursor={first['next_cursor']}").json()
    assert sorted(job["id"] for job in first["items"] + rest["items"]) == sorted(ids)
    assert rest["next_cursor"] is None
    assert [job["id"] for job in http("GET", "/jobs?state=cancelled").json()["items"]] == [ids[0]]


def test_asked_again_by_its_id_it_is_one_job():
    shop = open_shop()
    http, id_ = Http(shop), str(uuid4())
    assert [http("POST", "/exports", asked(id=id_)).json()["id"] for _ in range(2)] == [id_, id_]
    refused = http("POST", "/exports", asked(id=id_, format="xlsx"))
    assert (refused.status_code, refused.json()["code"]) == (422, "job_id_reused")
    assert Job.objects.filter(merchant_id=shop.merchant_id).count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"what": "secrets"}, "export_unknown"),
        ({"reason": " "}, "export_reason_missing"),
        ({"filters": {"stat": "x"}}, "invalid"),
        ({"filters": {"state": 1}}, "invalid"),
        ({"format": "pdf"}, "invalid"),
        ({"reason": "x" * 201}, "invalid"),
        ({"filters": {"state": "x" * 11_000}}, "job_too_long"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_code_and_nothing_waits(changes, code):
    shop = open_shop()
    refused = Http(shop)("POST", "/exports", asked(**changes))
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert not Job.objects.filter(merchant_id=shop.merchant_id).exists()


def test_another_merchants_job_looks_as_if_it_were_not_there():
    shop, stranger = sell(1), Http(open_shop())
    job = Http(shop)("POST", "/exports", asked()).json()
    runner.finish(shop.merchant_id, Job.objects.get(merchant_id=shop.merchant_id).id)
    for method, path in (("GET", ""), ("POST", ":cancel"), ("GET", "/file")):
        theirs, nobodys = (stranger(method, f"/jobs/{id_}{path}") for id_ in (job["id"], uuid4()))
        assert (theirs.status_code, theirs.json()) == (404, nobodys.json())
    assert stranger("GET", "/jobs").json()["items"] == []
    assert "job.handed_over" not in {link.verb for link in history.links(shop.merchant_id)}


def test_a_file_that_goes_while_it_is_read_breaks_off_and_does_not_end_early(monkeypatch):
    monkeypatch.setattr("houfu.jobs.exports.PAGE", 1)
    shop = sell(3)
    http = Http(shop)
    id_ = http("POST", "/exports", asked()).json()["id"]
    job = runner.finish(shop.merchant_id, Job.objects.get(merchant_id=shop.merchant_id).id)
    reading = queries.pieces(shop.owner, job)
    next(reading)
    queries.Piece.objects.filter(merchant_id=shop.merchant_id, job_id=id_).delete()
    with pytest.raises(queries.NotFound):
        list(reading)


def test_lists_take_the_period_that_exports_take():
    shop = sell(2)
    http = Http(shop)
    for listing in ("orders", "payouts"):
        assert http("GET", f"/{listing}?since=2025-11-11T00:00:00%2B08:00").json()["items"] == []
    assert len(http("GET", "/orders?until=2025-11-11T00:00:00%2B08:00").json()["items"]) == 2
