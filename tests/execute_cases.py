"""What tests of jobs share: records, changed settings, a network that diverges."""

from dataclasses import replace

from defaults import SGD
from fewshot_audio import compose, config

VGG, SMALL = "fewshot_audio.models.vgg.VGG", {"width": 2, "embedding": None, "norm_frames": False}


def changed(job, part, **arguments):
    component = getattr(job, part)
    return replace(
        job, **{part: replace(component, arguments={**component.arguments, **arguments})}
    )


def steep(max_grad_norm):
    """Plain SGD at a rate at which anything diverges."""
    optimizer = replace(SGD.optimizer, arguments={"lr": 1e30})
    return replace(SGD, optimizer=optimizer, max_grad_norm=max_grad_norm)


def with_frontend(job, name, *settings):
    """The job with a frontend of conf/ at its rate and hop."""
    wanted = [
        f"frontend={name}",
        f"sample_rate={job.mel.sample_rate}",
        f"hop={job.mel.hop}",
        *settings,
    ]
    return replace(
        job, frontend=config.job(compose.composed(["dataset=synthetic", *wanted])).frontend
    )
