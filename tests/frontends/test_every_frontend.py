"""What every frontend of conf/ must do, by listing it."""

from functools import cache

import pytest
import torch

from defaults import SGD
from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.network import Patches
from fewshot_audio.training.prepare import prepared
from marks import slow_but

RATE, HOP = 8000, 192
SAMPLES = (100, 191, 192, 5 * HOP, 40 * HOP + 7)
FRONTENDS = compose.complete("frontend")
FAST = ("leaf", "leaf_widths", "efficient_leaf")
QUICK = ("leaf", "log_eps", "log_learn", "sincnet")
every_frontend = pytest.mark.parametrize("name", slow_but(*QUICK, of=FRONTENDS))


@cache
def job(name, *settings):
    rates = [f"sample_rate={RATE}", f"hop={HOP}"]
    choices = ["dataset=synthetic", "model=timbre", f"frontend={name}"]
    return config.job(compose.composed([*choices, *rates, *settings]))


def frontend(name, *settings):
    made = build(job(name, *settings).frontend, Frontend)
    made.initialise(torch.Generator().manual_seed(0))
    return made


def rows(made, samples, kind="noise", seed=0):
    """A clip as the frontend reads it: a waveform (samples, 1) or power mel (frames, n_bands)."""
    waveform = made.reads == "waveform"
    shape = (samples, 1) if waveform else (1 + samples // HOP, made.n_bands)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    if kind == "silence":
        return torch.zeros(shape)
    if kind == "full scale":
        return (noise - 0.5).sign() if waveform else 1e4 * torch.ones(shape)
    return 0.2 * (noise - 0.5) if waveform else noise**4


@every_frontend
def test_frames_and_bands(name):
    for n_bands in (40, 128):
        made = frontend(name, f"n_bands={n_bands}").eval()
        assert made.n_bands == n_bands
        for samples in SAMPLES:
            clip = rows(made, samples)
            spectrogram = made.spectrogram(clip[None])
            assert spectrogram.shape == (1, 1 + samples // HOP, n_bands)
            assert made.frames(len(clip)) == spectrogram.shape[1]
            assert spectrogram.dtype == torch.float32


@every_frontend
@pytest.mark.parametrize("kind", ["silence", "full scale"])
def test_silence_and_full_scale_give_finite_values_and_gradients(name, kind):
    made = frontend(name)
    for samples in (100, 5 * HOP):
        clips = torch.stack([rows(made, samples, kind), rows(made, samples)])
        spectrograms = made.spectrogram(clips)
        assert spectrograms.isfinite().all()
        if spectrograms.requires_grad:
            spectrograms.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


@every_frontend
def test_what_learns_gets_a_gradient_and_nothing_else(name):
    made = frontend(name)
    clips = torch.stack([rows(made, 30 * HOP, seed=seed) for seed in range(3)])
    spectrograms = made.spectrogram(clips)
    if spectrograms.requires_grad:
        random = torch.Generator().manual_seed(9)
        (spectrograms * torch.rand(spectrograms.shape, generator=random)).sum().backward()
    for name_of, parameter in made.named_parameters():
        has_gradient = parameter.grad is not None and parameter.grad.abs().max() > 0
        assert has_gradient == parameter.requires_grad, name_of


@every_frontend
def test_a_clip_does_not_depend_on_its_batch(name):
    made = frontend(name).eval()
    clips = [rows(made, samples, seed=seed) for seed, samples in enumerate(SAMPLES)]
    data = training_set(made, clips, [0] * len(clips))
    together = made.compute(*data.inputs)
    for clip, spectrogram, frames in zip(clips, together, data.lengths, strict=True):
        alone = made.spectrogram(clip[None])[0]
        assert len(alone) == frames
        tolerance = 2e-5 * alone.abs().max().item() + 1e-6
        torch.testing.assert_close(spectrogram[:frames], alone, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", slow_but("log_learn", of=FRONTENDS))
def test_it_learns_to_tell_low_from_high_beeps(name):
    """Two classes of eight clips each: learned by heart, and recognised in other clips."""
    plain = ["frontend/engine=exact"] if name in FAST else []  # quicker for so few clips
    settings = job(name, "method.max_epochs=20", *plain)
    clips, labels = labelled(build(settings.frontend, Frontend), range(8))
    network, method = prepared(settings, 2, clips, labels, Generators.named("learns", name))
    before = {key: value.clone() for key, value in network.frontend.state_dict().items()}
    fit([network], [method], SGD, "cpu")
    network.train()  # statistics of the batch: 15 updates leave the running ones behind
    assert predicted(network, clips) == labels
    unseen, truth = labelled(network.frontend, range(10, 60))
    answers = zip(predicted(network, unseen), truth, strict=True)
    right = sum(answer == label for answer, label in answers)
    assert right >= 70, right  # of 100; chance gets there once in 25,000
    for key, parameter in network.frontend.named_parameters():
        assert parameter.requires_grad != torch.equal(parameter, before[key]), key


def predicted(network, clips):
    """The classes of clips of one length by a network in training mode."""
    data = training_set(network.frontend, clips, [0] * len(clips))
    with torch.no_grad():
        spectrograms = network.frontend.compute(*data.inputs)[:, : data.lengths[0]]
        patches = spectrograms.repeat(1, -(-128 // spectrograms.shape[1]), 1)[:, :128]
        return network.classifier(patches, ()).argmax(1).tolist()


def labelled(made, seeds):
    clips = [beeps(made, label, seed) for seed in seeds for label in (0, 1)]
    return clips, [0, 1] * len(seeds)


def beeps(made, label, seed):
    """A third of a second of faint noise and beeps of 40 ms, about 500 or about 2000 Hz."""
    random = torch.Generator().manual_seed(100 * seed + label)
    gate = (torch.rand(8, generator=random) < 0.4).float()
    gate[seed % 8] = 1
    place = 0.97 + 0.06 * torch.rand(1, generator=random)
    if made.reads == "waveform":
        hz = (2000 if label else 500) * place
        tone = torch.sin(2 * torch.pi * hz * torch.arange(8 * 320) / RATE)
        noise = 1e-4 * torch.randn(8 * 320, generator=random)
        return (0.5 * gate.repeat_interleave(320) * tone + noise)[:, None]
    bump = torch.exp(-(((torch.arange(128) - (90 if label else 40) * place) / 3) ** 2))
    noise = 1e-6 * torch.rand(16, 128, generator=random)
    return 10 * gate.repeat_interleave(2)[:, None] * bump + noise


@pytest.mark.parametrize("reused", [False, True])
@every_frontend
def test_report_before_training(name, reused):
    """Weights that were learned before are the start that it compares with."""
    made = frontend(name)
    if reused:
        with torch.no_grad():
            for weight in made.parameters():
                weight.mul_(0.9)
        made.reuse(frozen=False)
    learned, report = made.learned_scalars(), made.report()
    assert bool(learned) == any(parameter.requires_grad for parameter in made.parameters())
    if not report:  # the history of its scalars holds it all
        assert made.pointwise
        assert sum(parameter.numel() for parameter in made.parameters()) <= 2
        return
    for quantity, sides in report["filters"].items():
        assert sides["before"] == sides["after"], quantity
        assert len(sides["after"]) in (64, 128)
    summary = report["summary"]
    moved = [summary[each] for each in summary if "drift" in each or "change" in each]
    assert set(moved) == {0}


@every_frontend
def test_patches_are_parts_of_the_spectrogram(name):
    """For clips with one patch each a frontend may filter only what the patches need."""
    made = frontend(name).eval()
    lengths, starts = [20 * HOP, 150 * HOP, 400 * HOP], torch.tensor([0, 11, 273])
    clips = [rows(made, samples, seed=seed) for seed, samples in enumerate(lengths)]
    data = training_set(made, clips, [0, 1, 2])

    def patches(numbers):
        of_clips = torch.tensor(numbers)
        return Patches(data.inputs, data.lengths, of_clips, starts[of_clips]).through(made)

    once, twice = patches([2, 0, 1]), patches([2, 0, 1, 2, 0, 1])
    for number, clip in enumerate([2, 0, 1]):
        whole = made.spectrogram(clips[clip][None])[0]
        expected = whole[(starts[clip] + torch.arange(128)) % len(whole)]
        for patch in (once[number], twice[number], twice[number + 3]):
            torch.testing.assert_close(patch, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["td_fbanks", "sincnet"])
def test_only_what_patches_need_is_filtered(name):
    made = frontend(name)
    data = training_set(made, [rows(made, 400 * HOP, seed=seed) for seed in range(2)], [0, 1])
    (_, spectra, _), starts = made.crop(data.inputs, torch.tensor([3, 200]), 128)
    assert spectra.shape[1] < data.inputs[1].shape[1] / 2
    assert starts.tolist() != [3, 200]
