"""What keeps a student's work: every command that writes into tinytorch/ copies the whole of it first."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dojo import catalogue
from dojo.errors import DojoError

FOLDER = catalogue.ROOT / ".dojo" / "backups"
