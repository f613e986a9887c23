"""What every frontend of conf/ must do, found by listing it."""

import pytest
import torch

from defaults import SGD
from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.network import Patches
from fewshot_audio.training.run import prepared

RATE, HOP = 8000, 192
FRONTENDS = config.choices("frontend")
SAMPLES = (100, 191, 192, 5 * HOP, 40 * HOP + 7)


def job(name, *settings):
    where = [
        "dataset=synthetic",
        f"sample_rate={RATE}",
        f"hop={HOP}",
        "model=timbre",
        f"frontend={name}",
    ]
    return config.job(config.composed([*where, *settings]))


def frontend(name, *settings):
    made = build(job(name, *settings).frontend)
    made.initialise(torch.Generator().manual_seed(0))
    return made


def rows(made, samples, kind="noise", seed=0):
    """A clip of a kind as the frontend reads it: a waveform (samples, 1) or a power map (frames, 128)."""
    shape = (samples, 1) if made.reads == "waveform" else (1 + samples // HOP, 128)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    if kind == "noise":
        return 0.2 * (noise - 0.5) if made.reads == "waveform" else noise**4
    if kind == "silence":
        return torch.zeros(shape)
    return (
        (noise - 0.5).sign() if made.reads == "waveform" else 1e4 * torch.ones(shape)
    )  # clipped at full scale


@pytest.mark.parametrize("name", FRONTENDS)
def test_maps_have_the_mel_map_s_frames_and_128_bands(name):
    made = frontend(name).eval()
    for samples in SAMPLES:
        clip = rows(made, samples)
        maps = made.spectrogram(clip[None])
        assert maps.shape == (1, 1 + samples // HOP, 128)
        assert made.frames(len(clip)) == maps.shape[1]
        assert maps.dtype == torch.float32


@pytest.mark.parametrize("name", FRONTENDS)
@pytest.mark.parametrize("kind", ["silence", "full scale"])
def test_silence_and_full_scale_give_numbers_and_finite_gradients(name, kind):
    made = frontend(name)
    for samples in (100, 5 * HOP):
        maps = made.spectrogram(torch.stack([rows(made, samples, kind), rows(made, samples)]))
        assert maps.isfinite().all()
        if maps.requires_grad:
            maps.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("name", FRONTENDS)
def test_every_learned_parameter_gets_a_gradient_and_no_other(name):
    made = frontend(name)
    maps = made.spectrogram(torch.stack([rows(made, 30 * HOP, seed=seed) for seed in range(3)]))
    if maps.requires_grad:
        (maps * torch.rand(maps.shape, generator=torch.Generator().manual_seed(9))).sum().backward()
    for name_of, parameter in made.named_parameters():
        assert (
            parameter.grad is not None and parameter.grad.abs().max() > 0
        ) == parameter.requires_grad, name_of


@pytest.mark.parametrize("name", FRONTENDS)
def test_a_clip_s_frames_do_not_depend_on_the_batch(name):
    made = frontend(name).eval()
    clips = [rows(made, samples, seed=seed) for seed, samples in enumerate(SAMPLES)]
    data = training_set(made, clips, [0] * len(clips))
    together = made(*data.inputs)
    for clip, maps, frames in zip(clips, together, data.lengths, strict=True):
        alone = made.spectrogram(clip[None])[0]
        assert len(alone) == frames
        torch.testing.assert_close(
            maps[:frames], alone, atol=2e-5 * alone.abs().max().item() + 1e-6, rtol=0
        )


@pytest.mark.parametrize("name", FRONTENDS)
def test_it_learns_to_tell_low_from_high_beeps(name):
    """Two classes of eight clips each, as waveforms or as maps: learned by heart, and found again in others."""
    plain = (
        ["frontend.engine=exact"] if job(name).frontend.arguments.get("engine") == "fast" else []
    )  # faster for so little
    wanted = job(name, "method.max_epochs=20", *plain)
    made = build(wanted.frontend)
    clips, labels = labelled(made, range(8))
    network, method = prepared(wanted, 2, clips, labels, Generators.named("learns", name))
    before = {key: value.clone() for key, value in network.frontend.state_dict().items()}
    fit([network], [method], SGD, "cpu")
    network.train()  # the statistics of the batch: 15 updates leave the running ones behind
    assert told(network, clips) == labels
    unseen, truth = labelled(made, range(10, 60))
    right = sum(answer == label for answer, label in zip(told(network, unseen), truth, strict=True))
    assert right >= 70, right  # of 100; chance gets there once in 25,000
    for key, parameter in network.frontend.named_parameters():
        assert parameter.requires_grad != torch.equal(parameter, before[key]), key


def told(network, clips):
    """The classes that a network in training mode gives clips of one length."""
    data = training_set(network.frontend, clips, [0] * len(clips))
    with torch.no_grad():
        maps = network.frontend(*data.inputs)[:, : data.lengths[0]]
        patches = maps.repeat(1, -(-128 // maps.shape[1]), 1)[:, :128]
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
        tone = torch.sin(
            2 * torch.pi * (2000 if label else 500) * place * torch.arange(8 * 320) / RATE
        )
        return (
            0.5 * gate.repeat_interleave(320) * tone + 1e-4 * torch.randn(8 * 320, generator=random)
        )[:, None]
    bump = torch.exp(-(((torch.arange(128) - (90 if label else 40) * place) / 3) ** 2))
    return 10 * gate.repeat_interleave(2)[:, None] * bump + 1e-6 * torch.rand(
        16, 128, generator=random
    )


@pytest.mark.parametrize("name", FRONTENDS)
def test_what_it_has_learned_is_told_before_and_after(name):
    made = frontend(name)
    learned, report = made.learned_scalars(), made.report()
    assert bool(learned) == any(parameter.requires_grad for parameter in made.parameters())
    if not report:
        assert made.pointwise
        assert (
            sum(parameter.numel() for parameter in made.parameters()) <= 2
        )  # the path of its scalars tells it all
        return
    for quantity, sides in report["filters"].items():
        assert sides["before"] == sides["after"], quantity
    assert {len(sides["after"]) for sides in report["filters"].values()} <= {64, 128}
    moving = [
        value
        for name_of, value in report["summary"].items()
        if "drift" in name_of or "change" in name_of
    ]
    assert moving
    assert set(moving) == {0}


@pytest.mark.parametrize("name", FRONTENDS)
def test_patches_are_parts_of_the_map_whichever_clips_they_come_from(name):
    """Of clips shown once a frontend may filter only what their patches need; here each is shown once, twice and by itself."""
    made = frontend(name).eval()
    lengths = [20 * HOP, 150 * HOP, 400 * HOP]
    data = training_set(
        made, [rows(made, samples, seed=seed) for seed, samples in enumerate(lengths)], [0, 1, 2]
    )
    starts = torch.tensor([0, 11, 273])
    once = Patches(data.inputs, data.lengths, torch.tensor([2, 0, 1]), starts[[2, 0, 1]]).through(
        made
    )
    twice = Patches(
        data.inputs, data.lengths, torch.tensor([2, 0, 1] * 2), starts[[2, 0, 1] * 2]
    ).through(made)
    for number, clip in enumerate([2, 0, 1]):
        whole = made.spectrogram(rows(made, lengths[clip], seed=clip)[None])[0]
        patch = whole[(starts[clip] + torch.arange(128)) % len(whole)]
        for found in (once[number], twice[number], twice[number + 3]):
            torch.testing.assert_close(found, patch, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["td_fbanks", "sincnet"])
def test_frames_by_themselves_are_filtered_where_a_patch_is(name, monkeypatch):
    made, seen = frontend(name), []
    data = training_set(made, [rows(made, 400 * HOP, seed=seed) for seed in range(2)], [0, 1])
    real = made.engine.energies
    monkeypatch.setattr(
        made.engine, "energies", lambda *given: seen.append(given[2].shape[1]) or real(*given)
    )
    Patches(data.inputs, data.lengths, torch.arange(2), torch.tensor([3, 200])).through(made)
    assert seen[0] < data.inputs[1].shape[1] / 2
