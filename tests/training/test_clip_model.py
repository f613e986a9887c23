"""Loaded networks as modules: waveforms in, logits out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

import kept
from execute_cases import SMALL, VGG, changed, with_frontend
from fewshot_audio import compose, config, export_onnx, load
from fewshot_audio.features.audio import load as samples_of
from fewshot_audio.features.resample import resample
from fewshot_audio.features.torchaudio_transforms import torchaudio_resample
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.frontends.pcen import MelPCEN
from fewshot_audio.types import ConfigError
from marks import slow_but

FRONTENDS = slow_but("log_learn", of=compose.complete("frontend"))


def vgg(job):
    model = replace(job.model, name="vgg", target=VGG, arguments=SMALL)
    return changed(replace(job, model=model), "method", max_epochs=4)


def waveforms(checkpoint, root, rate, resampler=resample):
    files = kept.clips(checkpoint, root)
    return [torch.from_numpy(samples_of(file.path, rate, resampler)) for file in files]


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_softmax_of_logits_are_the_probabilities_of_the_run(job, machine, dataset, frontend):
    made = vgg(with_frontend(job, frontend))
    checkpoint = kept.kept(made, machine)
    model, expected = load(checkpoint), kept.probabilities(checkpoint)
    clips = waveforms(checkpoint, dataset.root, model.sample_rate)
    assert min(len(clip) for clip in clips) < 128 * 512  # shorter than a patch
    with torch.no_grad():
        alone = torch.stack([model(clip) for clip in clips]).softmax(-1)
        lengths = torch.tensor([len(clip) for clip in clips])
        padded = pad_sequence(clips, batch_first=True, padding_value=0.3)
        together = model(padded, lengths).softmax(-1)
    np.testing.assert_allclose(alone, expected, atol=1e-4)
    np.testing.assert_allclose(together, expected, atol=1e-4)
    assert 0.01 < expected.max(1).min() < 0.999


@pytest.mark.parametrize(
    ("features", "pad_mode"),
    [
        pytest.param("librosa_2018", "reflect", marks=pytest.mark.slow),
        pytest.param("librosa_2018", "constant", marks=pytest.mark.slow),
        pytest.param("torchaudio", "reflect", marks=pytest.mark.slow),
        ("torchaudio", "constant"),
    ],
)
def test_it_computes_the_mel_spectrograms_of_the_job(job, machine, dataset, features, pad_mode):
    made = vgg(replace(job, mel=replace(job.mel, pad_mode=pad_mode)))
    target = config.job(compose.composed(["dataset=synthetic", f"features={features}"])).features
    checkpoint = kept.kept(replace(made, features=target), machine)
    model = load(checkpoint)
    resampler = {"librosa_2018": resample, "torchaudio": torchaudio_resample}[features]
    clips = waveforms(checkpoint, dataset.root, 16000, resampler)
    with torch.no_grad():
        found = torch.stack([model(clip) for clip in clips]).softmax(-1)
    np.testing.assert_allclose(found, kept.probabilities(checkpoint), atol=1e-4)


@pytest.mark.parametrize(
    ("frontend", "level"),
    [("log_eps", "loudness"), pytest.param("leaf", -20, marks=pytest.mark.slow)],
)
def test_clips_have_the_level_of_the_job(job, machine, dataset, frontend, level):
    made = vgg(with_frontend(changed(job, "features", level=level), frontend))
    checkpoint = kept.kept(made, machine)
    model, clips = load(checkpoint), waveforms(checkpoint, dataset.root, 16000)
    lengths = torch.tensor([len(clip) for clip in clips])
    with torch.no_grad():
        found = model(pad_sequence(clips, batch_first=True, padding_value=0.3), lengths).softmax(-1)
        plain = model.for_export()(clips[0][None]).softmax(-1)
    np.testing.assert_allclose(found, kept.probabilities(checkpoint), atol=1e-4)
    np.testing.assert_allclose(plain[0], kept.probabilities(checkpoint)[0], atol=2e-3)


def test_prototypes_are_kept(job, machine, dataset):
    other = config.job(compose.composed(["dataset=synthetic", "model=proto", "model.width=4"]))
    method = replace(other.method, arguments={**other.method.arguments, "max_epochs": 1})
    checkpoint = kept.kept(replace(job, model=other.model, method=method), machine)
    model = load(checkpoint)
    assert model.scoring.prototypes.shape == (5, 10)
    clips = waveforms(checkpoint, dataset.root, 16000)
    with torch.no_grad():
        found = torch.stack([model(clip) for clip in clips]).softmax(-1)
    np.testing.assert_allclose(found, kept.probabilities(checkpoint), atol=1e-4)


def test_it_is_a_module_that_learns(job, machine):
    model = load(kept.kept(vgg(with_frontend(job, "log_learn")), machine))
    assert not model.training
    assert model.class_names[0] == "chirp"
    waveform = 0.1 * torch.randn(2, 3, 8000, generator=torch.Generator().manual_seed(0))
    logits = model(waveform)
    assert logits.shape == (2, 3, 5)
    assert model(waveform[0, 0]).shape == (5,)
    torch.testing.assert_close(model(waveform[1, 2]), logits[1, 2])
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.zeros(6).long()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_it_takes_no_other_waveforms(job, machine):
    model = load(kept.kept(job, machine))
    with pytest.raises(ValueError, match="expected real floating-point samples"):
        model(torch.zeros(2, 4000, dtype=torch.int16))
    with pytest.raises(ValueError, match="lengths"):
        model(torch.zeros(2, 4000), torch.tensor([4000, 5000]))


def test_normalisation_of_a_layer_is_none_of_the_network(job, machine, dataset):
    """A run trains on clips at their own level, whatever the layer would do when called."""
    made = vgg(with_frontend(job, "log_learn"))
    checkpoint = kept.kept(made, machine)
    model = load(checkpoint)
    assert model.network.frontend.normalize is None
    clip = waveforms(checkpoint, dataset.root, 16000)[0]
    assert not torch.allclose(model(clip), model(0.1 * clip))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frontend", "tolerance"),
    [
        ("log_learn", 1e-5),
        ("mel_pcen", 1e-5),
        ("leaf", 1e-3),  # by the engine `fast`
        ("efficient_leaf", 1e-3),
        ("wavegram", 1e-5),
        ("sincnet_plus", 5e-3),  # in torch by FFT, whose rounding is not silent in silence
    ],
)
def test_onnx_gives_what_torch_gives(job, machine, tmp_path, frontend, tolerance):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    checkpoint = kept.kept(vgg(with_frontend(job, frontend)), machine)
    export_onnx(checkpoint, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    model, name = load(checkpoint), session.get_inputs()[0].name
    for batch, time in ((3, 30000), (1, 90001), (2, 2100)):
        clips = 0.1 * torch.randn(batch, time, generator=torch.Generator().manual_seed(time))
        clips[:, 1500:] *= time < 90000  # digital silence
        (found,) = session.run(None, {name: clips.numpy()})
        with torch.no_grad():
            expected = model(clips).softmax(-1)
        difference = torch.from_numpy(found).softmax(-1) - expected
        assert difference.abs().max() < tolerance


def test_what_cannot_be_exported_is_named(job, machine, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    checkpoint = kept.kept(with_frontend(job, "mel_pcen"), machine)

    def refuse(_):
        raise NotImplementedError("no such form")

    monkeypatch.setattr(MelPCEN, "for_export", refuse)
    with pytest.raises(ConfigError, match=r"frontend=mel_pcen cannot be exported.*no such form"):
        export_onnx(checkpoint, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_mirrored_mel_spectrogram_does_not_stream():
    with pytest.raises(ValueError, match="pad_mode=reflect: expected constant"):
        PowerMel(pad_mode="reflect").stream(torch.log, torch.float32)
    with pytest.raises(ValueError, match="pad_mode"):
        PowerMel(pad_mode="wrap")
