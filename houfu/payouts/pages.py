"""Pages of payouts: where an order's money went."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import part
from houfu.kernel.http import actor, mine
from houfu.payouts import queries


def of_order(request: HttpRequest, order_id: str) -> HttpResponse:
    """Show which payouts have paid some of an order."""
    traced = queries.trace_back(actor(request), mine(request), order_id)
    return part(request, "payouts/of_order.html", payouts=traced["payouts"])


urlpatterns = [path("orders/<str:order_id>/payouts", of_order)]
