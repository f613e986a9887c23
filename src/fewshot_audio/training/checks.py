"""What can be said of a job's settings before anything trains."""

from copy import deepcopy

import torch

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Method
from fewshot_audio.training.methods.crops import CropMethod, trains_on_crops
from fewshot_audio.training.metrics import check_metrics
from fewshot_audio.training.network import build_network
from fewshot_audio.training.optimizers import make_optimizer, make_scheduler
from fewshot_audio.training.waveform_network import build_waveform_network
from fewshot_audio.types import ConfigError, Job


def check_job(job: Job, dataset: Dataset) -> tuple[str, ...]:
    """Check that a job's settings can train on a dataset; return the frontend's notes.

    Raises:
        ConfigError: A setting is impossible, or two of them do not fit each other.
    """
    method: Method | CropMethod
    if trains_on_crops(job):
        whole = build_waveform_network(job, dataset.classes, "meta")
        network, method = whole.network, whole.method
    else:
        network = build_network(job, len(dataset.classes), "meta")
        method = build(job.method, Method, data=None, generators=None)
    check_spectrograms(network.frontend, job.frontend.name, job.mel.n_bands)
    method.adapt(network)
    check_labels(job, method, dataset)
    fewest = min(len(part.classes) for part in dataset.parts.values())
    check_metrics(job.metrics, fewest, method.keep_best, method.multi_label)
    if method.keep_best is not None:
        _check_validation(method.keep_best, dataset, job.fold)
    make_scheduler(make_optimizer(network, job.optimizer), job.optimizer)
    return network.frontend.notes


def _check_validation(metric: str, dataset: Dataset, fold: int) -> None:
    """Raise ConfigError where clips of a fold do not validate, or none of one of its tasks."""
    for name, part in dataset.parts.items():
        if not part.fold(fold).valid:
            setting = f"dataset.tasks.{name}" if dataset.tasks else "dataset"
            raise ConfigError(
                f"method.keep_best={metric}: {name}, fold {fold}, has no clips that validate; "
                "choose a dataset with a valid split (folder and csv make one by "
                f"{setting}.split.valid=0.1), or method.keep_best=null for the weights of the last "
                "epoch"
            )


def check_labels(job: Job, method: Method | CropMethod, dataset: Dataset) -> None:
    """Raise ConfigError where a method does not take as many labels as clips have."""
    if dataset.multi_label == method.multi_label:
        return
    one, several = "supervised", "multilabel"
    if isinstance(method, CropMethod):
        one, several = "crops", "crops_multilabel"
    labels, choice = "one label", f"method={one} metrics=multiclass"
    if dataset.multi_label:
        labels, choice = "several labels", f"method={several} metrics=multilabel"
    raise ConfigError(
        f"method={job.method.name}: {dataset.name} has {labels} per clip; choose {choice}"
    )


@torch.no_grad()
def check_spectrograms(frontend: Frontend, name: str, n_bands: int = 128) -> None:
    """Raise ConfigError where spectrograms have another shape, or are not pointwise as said."""
    if frontend.reads != "mel":
        return
    frontend = deepcopy(frontend).eval()
    frontend.begin(torch.Generator().manual_seed(0))
    rows = torch.rand(1, 8, n_bands, generator=torch.Generator().manual_seed(0))
    try:
        output, frames = frontend.spectrogram(rows), frontend.frames(rows.shape[1])
    except RuntimeError:  # each of its runs will fail, with a traceback
        return
    if output.shape != (1, frames, n_bands):
        raise ConfigError(
            f"frontend={name}: spectrograms of shape {tuple(output.shape)}, expected (clips, "
            f"frames, n_bands): (1, {frames}, {n_bands}); change n_bands or the frontend"
        )
    if not frontend.pointwise:
        return
    if not torch.allclose(frontend.spectrogram(rows[:, 3:]), output[:, 3:], equal_nan=True):
        raise ConfigError(
            f"frontend={name}: a value of its output depends on other values; set "
            "pointwise = False in its class"
        )
