"""Which implementation is under test, the time limits and the reports: all of it is in `dojo.report.plugin`."""
