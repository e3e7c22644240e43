"""A second start on a data folder that is served is refused, and leaves the first as it was."""

import pytest

from houfu.kernel import postgres
from houfu.kernel.postgres import HomeInUse, Server
from houfu.site import processes
from houfu.site.processes import House


def test_a_house_that_is_refused_leaves_the_notes_of_the_one_that_runs(tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        (tmp_path / processes.NOTE).write_text('{"web": {"pid": 1, "port": 8900}}')
        second = House(tmp_path, Server(tmp_path), command=print)
        with pytest.raises(HomeInUse):
            second.server.start()
        second.stop()
        assert postgres.url(tmp_path, "houfu_runtime")
        assert processes.running(tmp_path) == {"web": {"pid": 1, "port": 8900}}
    finally:
        server.stop()
    assert postgres.url(tmp_path, "houfu_runtime") is None
