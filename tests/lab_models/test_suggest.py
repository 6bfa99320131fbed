from __future__ import annotations

from lab_models.suggest import unknown_name


def test_names_the_nearest_and_all_there_are():
    message = unknown_name("recipe", "hal_t302", ["hal_t3002", "an2dl"])
    assert message == (
        "There is no recipe 'hal_t302'. Did you mean 'hal_t3002'? There are: an2dl, hal_t3002."
    )


def test_suggests_nothing_where_nothing_is_near():
    assert "Did you mean" not in unknown_name("backbone", "zzz", ["resnet18"])
