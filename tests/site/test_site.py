"""The site is built without a warning, without a network, and tells what the code declares."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from mkdocs.__main__ import cli

from docs.generate import settings, spaces, tables
from docs.generate.commands import commands
from raysweep.plan.metrics import METRICS
from raysweep.results.columns import SCHEMAS
from raysweep.space.packaged import packaged_names
from tests.documents import ROOT
from tests.house.rooms import rooms

FROM_ELSEWHERE = re.compile(
    r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//|@import'
    r'|<link[^>]* rel="(?:stylesheet|preconnect)" href="(?:https?:)?//'
)


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("the build asked for the network")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the documented command."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        patched.setenv("NO_MKDOCS_2_WARNING", "1")
        patched.setattr(socket.socket, "connect", no_network)
        done = CliRunner().invoke(cli, ["build", "--strict", "--site-dir", str(folder)])
    assert done.exit_code == 0, done.output
    assert "WARNING" not in done.output
    return folder


def test_it_has_every_page_of_its_parts(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix("") / "index.html").is_file()
    for written in ("settings", "tables", "metrics", "commands", "spaces", "api"):
        assert (site / "reference" / written / "index.html").is_file()
    assert not list(site.rglob("*.py"))


def test_a_reader_without_a_network_misses_nothing(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not FROM_ELSEWHERE.search(page.read_text()), page


def test_every_setting_is_told_with_its_meaning() -> None:
    page = settings.page()
    for model in settings.GROUPS.values():
        for name in model.model_fields:
            assert settings.meanings(model)[name]
            assert f"| `{name}` |" in page


def test_bounds_and_keys_of_settings_are_told() -> None:
    (rate,) = re.findall(r"^\| `learning_rate` .*$", settings.page(), re.MULTILINE)
    assert "number, 0 < x ≤ 10 | `1e-05`" in rate
    assert rate.endswith("| stage |")
    (batch,) = re.findall(r"^\| `micro_batch_size` .*$", settings.page(), re.MULTILINE)
    assert "whole number, 0 < x ≤ 1e6 | `16`" in batch
    assert batch.endswith("| - |")


def test_every_column_metric_space_and_command_is_told() -> None:
    columns, metrics, heads = tables.tables_page(), tables.metrics_page(), spaces.page()
    for name, schema in SCHEMAS.items():
        assert f"## {name}\n" in columns
        assert all(f"| `{field.name}` |" in columns for field in schema)
    assert all(f"| `{name}` |" in metrics for name in METRICS)
    assert all(f"## {name}\n" in heads for name in packaged_names())
    assert all(command.help for command in commands().values())


def test_the_readme_tells_of_every_room_what_its_docstring_tells() -> None:
    lines = re.findall(r"^      (\w+)/ +(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    packages = [one for one in rooms() if (ROOT / "raysweep" / one.name).is_dir()]
    assert dict(lines) == {one.name: one.about for one in packages}
