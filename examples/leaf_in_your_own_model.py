"""Train LEAF and a small network to tell rising tones from falling ones: ten seconds."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends import Leaf


def sweeps(clips: int) -> tuple[Tensor, Tensor]:
    """Return tones of half a second at 16 kHz in noise, and whether each rises."""
    t, rises = torch.arange(8000) / 16000, torch.arange(clips) % 2
    hz = 400 + 1200 * torch.rand(clips, 1) + 1600 * torch.where(rises[:, None] == 1, t, 0.5 - t)
    tones = torch.sin(2 * torch.pi * hz.cumsum(1) / 16000)
    return 0.1 * (tones + torch.randn(clips, 8000)), rises


torch.manual_seed(0)
leaf = Leaf(sample_rate=16000)
conv = nn.Sequential(nn.Conv2d(1, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU())
head = nn.Sequential(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
net = nn.Sequential(leaf, nn.Unflatten(1, (1, -1)), conv, head, nn.Linear(32, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.003)
for _ in range(30):
    waveforms, labels = sweeps(16)
    loss = nn.functional.cross_entropy(net(waveforms), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

waveforms, labels = sweeps(100)
correct = (net.eval()(waveforms).argmax(1) == labels).float().mean()
print(f"{correct:.1%} of new clips are right")
