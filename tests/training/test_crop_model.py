"""Networks trained on crops, kept and loaded: their answers are those of the run."""

import csv
import io
import sys

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

import kept
from fewshot_audio import compose, config, export_onnx, load
from fewshot_audio.commands import predict
from fewshot_audio.features.audio import load as samples_of
from fewshot_audio.features.resample import resample

SIZES = ["model=vgg", "model.width=4", "sample_rate=16000", "n_fft=512", "hop=160", "n_bands=32"]
WHOLE = ["protocol=full", "method.max_epochs=3", "method.crop=1", "method.window_hop=0.3"]


@pytest.fixture
def checkpoint(synthetic_root, machine):
    """Make a checkpoint of a run on crops."""

    def make(*words):
        data = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
        words = ["dataset=synthetic", *data, *SIZES, *WHOLE, *words]
        made = kept.replace(config.job(compose.composed(words)), repeats={None: 1})
        result = kept.execute.run(made, kept.keeping(machine))
        assert not result.failed, result.failed[0]["traceback"]
        return kept.folders(machine)[-1]

    return make


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("frontend=log_learn", "method.level=loudness"), marks=pytest.mark.slow),
        ("frontend=leaf", "method.level=peak"),
        pytest.param(("frontend=log_eps", "features.level=peak"), marks=pytest.mark.slow),
    ],
)
def test_softmax_of_logits_are_the_probabilities_of_the_run(checkpoint, dataset, words):
    folder = checkpoint(*words)
    model, expected = load(folder), kept.probabilities(folder)
    clips = [
        torch.from_numpy(samples_of(clip.path, model.sample_rate, resample))
        for clip in kept.clips(folder, dataset.root)
    ]
    lengths = torch.tensor([len(clip) for clip in clips])
    assert lengths.min() < model.sample_rate < lengths.max()
    padded = pad_sequence(clips, batch_first=True, padding_value=0.3)
    with torch.no_grad():
        alone = torch.stack([model(clip) for clip in clips]).softmax(-1)
        together = model(padded[:, None], lengths[:, None]).softmax(-1)[:, 0]
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    np.testing.assert_allclose(together, expected, atol=1e-5)
    embeddings = np.load(folder / "embeddings.npy")
    assert embeddings.shape[0] == len(clips)
    dense = next(each for each in reversed(list(model.modules())) if hasattr(each, "in_features"))
    logits = embeddings @ dense.weight.detach().numpy().T + dense.bias.detach().numpy()
    np.testing.assert_allclose(torch.tensor(logits).softmax(-1), expected, atol=1e-4)


def test_predictions_are_those_of_the_run(checkpoint, dataset, monkeypatch, capsys):
    folder = checkpoint("frontend=log_eps")
    words = ["--csv", str(folder / "test.csv"), "--root", str(dataset.root), "--top", "5"]
    out = folder.parent / "found.csv"
    monkeypatch.setattr(sys, "argv", ["predict.py", str(folder), *words, "--output", str(out)])
    with pytest.raises(SystemExit, match="0"):
        predict.command()
    accuracy = kept.about(folder)["metrics"]["accuracy"]
    assert float(capsys.readouterr().err.split()[1].strip(":")) == accuracy
    found = {
        (row["path"], row["class"]): np.float32(row["probability"])
        for row in csv.DictReader(io.StringIO(out.read_text()))
    }
    for row in kept.test_rows(folder):
        for name in kept.about(folder)["class_names"]:
            assert found[row["path"], name] == pytest.approx(float(row[f"p_{name}"]), abs=1e-6)


def test_it_learns_further(checkpoint):
    model = load(checkpoint("frontend=log_learn"))
    waveform = 0.1 * torch.randn(2, 3, 20000, generator=torch.Generator().manual_seed(0))
    logits = model(waveform)
    assert logits.shape == (2, 3, 5)
    torch.testing.assert_close(model(waveform[1, 2]), logits[1, 2])
    logits.square().sum().backward()
    assert all(each.grad is not None for each in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "tolerance"),
    [
        (("frontend=log_learn", "method.level=loudness"), 1e-4),
        (("frontend=leaf", "method.level=peak", "frontend/engine=exact"), 1e-4),
    ],
)
def test_onnx_gives_what_torch_gives(checkpoint, tmp_path, words, tolerance):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = checkpoint(*words)
    export_onnx(folder, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    model, name = load(folder), session.get_inputs()[0].name
    for batch, time in ((3, 30000), (1, 90001), (2, 2100), (2, 11200)):
        clips = 0.1 * torch.randn(batch, time, generator=torch.Generator().manual_seed(time))
        (found,) = session.run(None, {name: clips.numpy()})
        with torch.no_grad():
            expected = model(clips).softmax(-1)
        difference = torch.from_numpy(found).softmax(-1) - expected
        assert difference.abs().max() < tolerance
