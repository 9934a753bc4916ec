"""How `make test` divides the tests between its processes."""

from __future__ import annotations

from dojo.authors import own_tests
from dojo.catalogue import ROOT


def test_what_shares_a_run_of_the_gate_stays_together() -> None:
    gate, mistakes, *_, models = own_tests.BY_KATA
    assert own_tests.together(f"{gate}::test_gate[02_tensor-a]") == f"{gate} 02"
    caught = f"{mistakes}::test_mistake_is_caught[02-sum_forgets]"
    counted = f"{mistakes}::test_each_kata_knows_its_classic_mistakes[02_tensor]"
    assert own_tests.together(caught) == own_tests.together(counted) == f"{mistakes} 02"
    assert own_tests.together(f"{mistakes}::test_a_swap_may_be_in_the_signature") == mistakes
    assert own_tests.together(f"{models}::test_a_wrong_model_is_refused[20_serve-x]") == f"{models} 20"
    assert own_tests.together(f"{models}::test_an_interrupted_run[10]") == f"{models} 10"
    assert own_tests.together("tests/run/test_cold.py::test_loop[02-x]") == "tests/run/test_cold.py"


def test_the_files_and_folders_that_are_named_are_there() -> None:
    assert all((ROOT / name).is_file() for name in own_tests.BY_KATA)
    assert all((ROOT / "tests" / name).is_dir() for name in own_tests.TEACH)
