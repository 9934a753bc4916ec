"""Which implementation is under test, the time limits and the reports: all of it is in `dojo.report.plugin`."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Where a pytest.ini elsewhere is taken for the configuration, the plugin is missing, and so is every verdict."""
    if not config.pluginmanager.has_plugin("dojo.report.plugin"):
        raise pytest.UsageError(
            f"The configuration is {config.inipath}, and not the repository's, so nothing could be judged: say "
            "--impl=PATH, with the sign of equality, or give pytest `-c pyproject.toml --rootdir .`."
        )
