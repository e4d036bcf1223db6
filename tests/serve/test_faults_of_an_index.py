"""What is told of a run whose index cannot be read."""

import asyncio

from asking import ask, gate

from weft.serve.service import Service


def test_runs_are_told_where_an_index_is_gone(service: Service) -> None:
    """The others can be used, and so can what needs no index."""
    file = service.indexes["scenes"].index.folder / "index.db"
    away = file.rename(file.with_name("away.db"))
    try:
        found = asyncio.run(ask(gate(service), "GET", "/runs"))
    finally:
        away.rename(file)
    told = {run["name"]: (run["index"], run["fault"]) for run in found.json}
    index, fault = told.pop("scenes")
    assert index is None
    assert fault.startswith("the index of scenes/index.db: no such file")
    assert all(fault is None for _, fault in told.values())
