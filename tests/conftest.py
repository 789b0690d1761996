"""What several test modules ask for by name."""

import shutil

import pytest


@pytest.fixture
def browser():
    if (path := shutil.which("chromium")) is None:
        pytest.skip("there is no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()
