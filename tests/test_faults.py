"""A short campaign of faults with a fixed seed; ``python tests/faults.py --help`` runs longer ones with others."""

import sys

import faults
import pytest


@pytest.mark.parametrize(("part", "n"), [("damage_files", 700), ("command_lines", 300)])
def test_faults_end_in_one_line_and_nothing_wrong_is_accepted(part, n):
    found = faults.Campaign()
    getattr(faults, part)(found, n, seed=15)
    assert not found.failed, "\n".join(found.told)
    assert found.counts["files"] + found.counts["lines"] > 0.9 * n
    assert part != "damage_files" or found.counts["refused"] > 300


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_extraction_leaves_nothing_running_and_goes_on():
    found = faults.Campaign()
    faults.kills(found, 2, seed=15)
    assert not found.failed, "\n".join(found.told)
