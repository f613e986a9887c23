"""Several tasks at the same time: one frontend, one encoder, a head for each."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, recall_score
from whole_cases import RATE, job, tones, trained

from fewshot_audio.datasets.base import Dataset, Fold
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.datasets.tasks import from_tasks
from fewshot_audio.features.cache import JointCache
from fewshot_audio.training.checks import check_job
from fewshot_audio.training.crops import RandomCrops
from fewshot_audio.training.methods.tasks import TaskCrops
from fewshot_audio.training.prepare import JobData, prepare_on_crops, waveforms_of
from fewshot_audio.training.score import score
from fewshot_audio.types import ConfigError, Sampling

TASKS = "method=crops_tasks"
NAMES = ("pitch/low", "pitch/middle", "pitch/high", "tone/low", "tone/high")


def joint(name="tones", **parts):
    """The data of tasks whose datasets are given, with the features of the first of them."""
    dataset = from_tasks(name, {task: part.dataset for task, part in parts.items()})
    cache = JointCache("joint", {task: part.features for task, part in parts.items()})
    splits = FewShotSplits(dataset, dataset.folds[0], 0, Sampling("clip"), None)
    return JobData(dataset, splits, cache)


def halved(data):
    """The same clips in two classes, low or not, with a third of those that train."""
    (fold,) = data.dataset.folds

    def parted(clips):
        return tuple(replace(clip, labels=(min(clip.label, 1),)) for clip in clips)

    fold = Fold(1, parted(fold.train[:5]), parted(fold.test), parted(fold.valid))
    return replace(data, dataset=replace(data.dataset, classes=("low", "high"), folds=(fold,)))


@pytest.fixture(scope="module")
def data():
    return tones()


@pytest.fixture(scope="module")
def both(data):
    return joint(pitch=data, tone=halved(data))


@pytest.fixture
def method():
    return TaskCrops(crop=1, max_epochs=1, batch_size=2, class_names=NAMES)


@pytest.mark.parametrize("sampling", ["even", pytest.param("proportional", marks=pytest.mark.slow)])
def test_one_task_is_trained_as_the_same_clips_alone(data, tmp_path, sampling):
    words = "method.crops_per_clip=2", "augmentation=[gain,mixup]", "method.max_epochs=2"
    alone = trained(job(*words, model="Noisy", frontend="leaf"), data, tmp_path / "a")
    one = joint(pitch=data)
    words = TASKS, f"method.sampling={sampling}", *words
    together = trained(job(*words, model="Noisy", frontend="leaf"), one, tmp_path / "b")
    assert together.history == alone.history
    expected = alone.run.network.state_dict()
    for name, weight in together.run.network.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    metrics, found = score(alone, data)[0]["metrics"], score(together, one)[0]["metrics"]
    assert {name: found[name] for name in metrics} == metrics
    numbers = {name for name, value in metrics.items() if not isinstance(value, list)}
    assert {f"pitch {name}": metrics[name] for name in numbers} == {
        name: value for name, value in found.items() if name not in metrics
    }


def test_the_weights_of_the_best_mean_are_kept(both, tmp_path):
    made = job(TASKS, "method.max_epochs=8", "optimizer.lr=0.1")
    check_job(made, both.dataset)
    run = trained(made, both, tmp_path / "a")
    fields = score(run, both)[0]
    metrics = fields["metrics"]
    mean = np.mean([metrics["pitch accuracy"], metrics["tone accuracy"]])
    assert metrics["accuracy"] == pytest.approx(mean, abs=1e-12)
    assert len(metrics["recall"]) == len(fields["class_names"]) == 5
    losses = run.history.history["train loss"][1:]
    assert losses[-1] < 0.9 * losses[0]
    values = run.history.history["valid accuracy"][1:]
    best = values.index(max(values)) + 1
    assert run.history.stop_reason.endswith(f"weights of epoch {best} kept")
    confusion = np.array(fields["confusion_matrix"])
    assert confusion[:3, :3].sum() == confusion[3:, 3:].sum() == 9  # no answer of another task
    assert confusion.sum() == fields["test_clips"] == 18


def test_the_cost_is_cross_entropy_within_each_task(method):
    logits = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.eye(5, dtype=torch.float64)[[0, 2, 3, 4]]
    odds = logits.exp()
    pitch, tone = odds[:2, :3].sum(1), odds[2:, 3:].sum(1)
    own = torch.cat([odds[[0, 1], [0, 2]] / pitch, odds[[2, 3], [3, 4]] / tone])
    torch.testing.assert_close(method.cost(logits, targets), -own.log().mean())
    mixed = 0.3 * targets + 0.7 * targets[[2, 3, 0, 1]]  # as mixup does across tasks
    other = odds[0, 3] / odds[0, 3:].sum()
    expected = -(0.3 * own[0].log() + 0.7 * other.log())
    torch.testing.assert_close(method.cost(logits[:1], mixed[:1]), expected)


def test_metrics_are_those_of_each_task_and_their_mean(method):
    torch.manual_seed(0)
    targets = torch.arange(5).repeat(20)
    scores = method.scores(torch.randn(100, 5))
    torch.testing.assert_close(scores[:, :3].sum(1), torch.ones(100))
    torch.testing.assert_close(scores[:, 3:].sum(1), torch.ones(100))
    found = method.clip_scores(scores, targets).metrics(job().metrics)
    recall = []
    for task, place in {"pitch": slice(0, 3), "tone": slice(3, 5)}.items():
        clips = (targets >= place.start) & (targets < place.stop)
        answers, labels = scores[clips][:, place].argmax(1), targets[clips] - place.start
        assert found[f"{task} accuracy"] == accuracy_score(labels, answers)
        f1 = f1_score(labels, answers, average="macro")
        assert found[f"{task} macro_f1"] == pytest.approx(f1, abs=1e-6)
        recall += recall_score(labels, answers, average=None).tolist()
    assert found["recall"] == pytest.approx(recall, abs=1e-6)
    of_tasks = [found["pitch macro_f1"], found["tone macro_f1"]]
    assert found["macro_f1"] == pytest.approx(np.mean(of_tasks))
    pitch = targets < 3
    one = method.clip_scores(scores[pitch], targets[pitch]).metrics(job().metrics)
    assert one["accuracy"] == one["pitch accuracy"] == found["pitch accuracy"]
    assert one["recall"][3:] == [None, None]
    assert "tone accuracy" not in one


@pytest.mark.parametrize(("sampling", "shares"), [("even", (20, 20)), ("proportional", (30, 10))])
def test_an_epoch_has_its_share_of_each_task(both, sampling, shares):
    run = prepare_on_crops(job(TASKS, f"method.sampling={sampling}"), both, None, 1)
    clips = waveforms_of(run.network, run.split.train, both)
    groups = run.network.method.groups(clips.targets)
    crops = RandomCrops(clips.lengths(), RATE, 4, 2, ("run",), lambda: 1, groups=groups)
    drawn = Counter(number for batch in crops for number, _ in batch)
    names = [clip.path.split("/")[0] for clip in run.split.train]
    by_task = {"pitch": [], "tone": []}
    for number, name in enumerate(names):
        by_task[name].append(drawn[number])
    assert tuple(map(sum, by_task.values())) == shares
    for counts in by_task.values():  # each clip as often as the others, or once more
        assert max(counts) - min(counts) <= 1
    assert len(crops) == len(list(crops)) == 10


def test_joint_datasets_keep_features_and_targets(data, both):
    assert both.dataset.classes == NAMES
    assert [clip.id for clip in both.dataset.clips][::30] == ["pitch/00.wav", "tone/00.wav"]
    for clip in both.dataset.clips:
        task, path = clip.path.split("/")
        np.testing.assert_array_equal(both.features[clip.id], data.features[path])
        assert NAMES[clip.label].startswith(task)
        assert both.features.length(clip.id) == len(data.features[path])


def test_what_cannot_be_joined_says_why(data):
    one = data.dataset
    (fold,) = one.folds
    other = replace(one, folds=(replace(fold, number=2),))
    for tasks, text in [
        ({}, r"dataset.tasks: expected a dataset for each task"),
        ({"a": {"root": "b"}}, "dataset.tasks.a: expected a dataset with its _target_"),
        ({"a/b": one}, "dataset.tasks.a/b: expected a name without /"),
        ({"a": one, "b": other}, r"expected a fold that all tasks have, found a \[1\], b \[2\]"),
        ({"a": replace(one, multi_label=True)}, "dataset.tasks.a: expected one label per clip"),
    ]:
        with pytest.raises(ConfigError, match=text):
            from_tasks("tasks", tasks)


def test_classes_need_tasks_and_tasks_need_validation(data, both):
    with pytest.raises(ConfigError, match="method=crops_tasks: expected classes of tasks"):
        check_job(job(TASKS), data.dataset)
    with pytest.raises(ConfigError, match="no metric of that name"):
        check_job(job(TASKS, 'method.keep_best="tone accuracy"'), both.dataset)
    (fold,) = both.dataset.tasks["tone"].folds
    tone = replace(both.dataset.tasks["tone"], folds=(replace(fold, valid=()),))
    lacking: Dataset = from_tasks("tasks", {"pitch": data.dataset, "tone": tone})
    with pytest.raises(ConfigError, match=r"tone, fold 1, .* dataset.tasks.tone.split.valid=0.1"):
        check_job(job(TASKS), lacking)
    check_job(job(TASKS, "method.keep_best=null"), lacking)
