"""The load run, for a moment. tests/serve/load.py does the same for as long as you like."""

from __future__ import annotations

from tests.serve.load import load


def test_two_hundred_clients_a_third_of_which_misbehave() -> None:
    report = load(3.0)
    assert not report.wrong, report.wrong[:3]
    assert report.tracebacks == 0
    assert report.counts["whole"] + report.counts["stream"] > 100, report.counts
    assert min(report.counts.values()) > 3, report.counts
    assert report.after["tasks"] <= report.before["tasks"]
    assert report.after["files"] <= report.before["files"]
    assert report.after["memory"] < report.middle["memory"] + 8e6, (report.middle, report.after)
    assert report.status == 0
