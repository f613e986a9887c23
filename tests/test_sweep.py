"""Sweeps as they are put together, beside what Hydra composes."""

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from fewshot_audio import compose, config, sweep


def test_the_choices_of_a_study_are_open_to_the_command_line():
    given = ["+study=us8k_three_folds", "dataset.root=/data", "fold=range(1,4)", "model=vgg"]
    jobs = [set(combination) for combination in sweep.combinations([*given, "n_per_class=[1,2]"])]
    expected = [
        {*given[:2], f"fold={fold}", "model=vgg", f"frontend={frontend}", "n_per_class=[1,2]"}
        for fold in (1, 2, 3)
        for frontend in ("log_eps", "log_learn", "log_fixed", "log_10000")
    ]
    assert sorted(map(sorted, jobs)) == sorted(map(sorted, expected))


@pytest.mark.parametrize(
    "overrides",
    [
        ["+study=tut_asc", "dataset.root=/data", "fold=1,2", "n_per_class=[1,2]"],
        pytest.param(
            [
                "+study=us8k_controls",
                "dataset.root=/data",
                "model=proto,timbre",
                "method=supervised,prototypical",
            ],  # a model chooses a method
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_put_together_is_what_hydra_composes(overrides):
    combinations = sweep.combinations(overrides)
    swept = [OmegaConf.to_container(cfg) for cfg in sweep.swept(overrides)]
    assert len(swept) == len(combinations) > 1
    for found, combination in list(zip(swept, combinations, strict=True))[::7]:
        assert found == OmegaConf.to_container(compose.composed(combination))


@pytest.mark.parametrize(
    ("study", "runs"), [pytest.param("whole", 9900, marks=pytest.mark.slow), ("us8k", 6000)]
)
@pytest.mark.slow
def test_the_studies_of_the_article_s_tables_have_their_runs(study, runs):
    """75 runs per dataset, fold, model and frontend, TUT Acoustic Scenes having one fold."""
    jobs = [config.job(cfg) for cfg in sweep.swept([f"+study={study}", "dataset.root=/data"])]
    assert (
        sum(
            sum(job.repeats.values()) for job in jobs if job.fold == 1 or job.dataset.name == "us8k"
        )
        == runs
    )


def test_a_misspelt_setting_of_a_sweep_is_an_error():
    with pytest.raises(HydraException, match="method.epoch"):
        list(sweep.swept(["model=timbre,vgg", "method.epoch=3"]))
