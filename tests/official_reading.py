"""Official datasets read and verified as their yaml composes them."""

from dataclasses import replace
from functools import cache

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.verify import find_verifier


@cache
def job_of(name, *settings):
    return config.job(compose.composed([f"dataset={name}", "dataset.root=/data", *settings]))


def read(name, root, *settings):
    component = job_of(name, *settings).dataset
    arguments = {**component.arguments, "root": str(root)}
    return build(replace(component, arguments=arguments), Dataset, name=name)


def verify(name, root, full):
    return find_verifier(job_of(name).dataset.target)(root, full, 2)
