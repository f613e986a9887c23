"""Use a trained network in PyTorch: its answers, training it further, the same as ONNX.

python examples/use_a_checkpoint.py CHECKPOINT file.wav
"""

import sys
from pathlib import Path

import soundfile
import torch
import torchaudio

import fewshot_audio


def main(checkpoint: Path, file: Path) -> None:
    model = fewshot_audio.load(checkpoint)
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    waveform = torch.from_numpy(samples).mean(1)  # (time,), in [-1, 1]
    waveform = torchaudio.functional.resample(waveform, rate, model.sample_rate)
    with torch.no_grad():
        logits = model(waveform)  # (classes,)
    probabilities = logits.sigmoid() if model.multi_label else logits.softmax(-1)
    for name, probability in zip(model.class_names, probabilities.tolist(), strict=True):
        print(f"{probability:.3f} {name}")

    learning = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batch, labels = waveform[None].repeat(2, 1), torch.tensor([0, 0])
    loss = torch.nn.functional.cross_entropy(model(batch), labels)
    learning.zero_grad()
    loss.backward()
    learning.step()
    print(f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
