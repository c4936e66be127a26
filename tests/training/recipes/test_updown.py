from training.recipes.updown import RECIPE


def test_full_is_the_published_network() -> None:
    settings = RECIPE.presets["full"](2)
    shape = {"units": 7, "filters": 64, "entries": 64}
    assert settings.network == shape | {"factor": 2, "coarsen": 1}
    assert settings.learning_rate == 1e-4


def test_onto_the_own_grid_full_goes_up_from_half_of_it() -> None:
    assert RECIPE.presets["full"](1).network["coarsen"] == 2
