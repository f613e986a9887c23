"""Checks of other forms of frontends: compiled, exported, streaming, in two processes."""

import copy
import functools
import io
import json
import pickle
import socket
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import nn

from layer_cases import BANDS, MODULES, SAMPLES, layer, noise

TIME = torch.export.Dim("time", min=600)
SHAPES = ({0: torch.export.Dim("batch"), 1: TIME},)


def compiled(name):
    """In training, at any length; the aot_eager backend traces without a C++ compiler."""
    made = nn.Sequential(layer(name), nn.Conv1d(BANDS, 2, 1))
    torch.compiler.reset()
    graph = torch.compile(made, backend="aot_eager")
    for samples in (SAMPLES, 2000, 2500, 1111):
        results = []
        for module in (graph, made):
            made.zero_grad()
            values = module(noise(2)[:, :samples])
            values.square().mean().backward()
            results.append([values, *(each.grad for each in made.parameters())])
        for ours, theirs in zip(*results, strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                torch.testing.assert_close(ours, theirs)


def inference_form(name):
    """Plain real operations with weights of their own."""
    made = layer(name)
    made(noise(8)), made.eval()
    plain = made.for_export()
    for samples in (SAMPLES, 1999, 1600):
        clips = noise(2)[:, :samples]
        values, ours = made(clips), plain(clips)
        tolerance = 2e-3 if "fast" in name else 1e-5  # that of `fast` is its own
        assert ours.shape == values.shape
        assert not ours.requires_grad
        assert (ours - values).abs().max() < tolerance * values.abs().max()


def exported(name):
    """By torch.export, with any batch and any length."""
    plain, clips = layer(name).for_export(), noise(3)[:, :2222]
    program = torch.export.export(plain, (noise(2),), dynamic_shapes=SHAPES)
    torch.testing.assert_close(program.module()(clips), plain(clips), rtol=1e-5, atol=1e-5)


def onnx(name):
    """In onnxruntime, with any batch and any length."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    plain, file = layer(name).for_export(), io.BytesIO()
    shapes = {"dynamo": True, "dynamic_shapes": SHAPES, "verbose": False, "optimize": False}
    torch.onnx.export(plain, (noise(2),), **shapes).save(file)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for clips in (noise(3)[:, :2222], noise(1)[:, :1600], noise(1) * (torch.arange(3000) < 1500)):
        (values,) = session.run(None, {session.get_inputs()[0].name: clips.numpy()})
        expected = plain(clips)
        assert (torch.from_numpy(values) - expected).abs().max() < 1e-5 * expected.abs().max()


def stream(name):
    """Chunks in, frames out: together those of the whole, also of a stream that was pickled."""
    made = layer(name)
    made(noise(8)), made.eval()
    whole = torch.cat([noise(2, seed=seed) for seed in range(4)], 1)[:, :11111]
    streamed = made.stream()
    chunks = whole.split([100, 0, 1, 3000, 700, 160, 4000, 3150], 1)
    values = [streamed(chunk) for chunk in chunks[:4]]
    streamed = pickle.loads(pickle.dumps(streamed))
    values = torch.cat([*values, *(streamed(chunk) for chunk in chunks[4:]), streamed.finish()], 2)
    tolerance = 1e-3 if "fast" in name else 1e-5
    assert values.shape == made(whole).shape
    assert (values - made(whole)).abs().max() < tolerance * values.abs().max()


def two_processes(name):
    """DistributedDataParallel by gloo: the gradients of either process are the mean of both."""
    assert name not in different(), different()[name]


@functools.cache
def different():
    """What differs by the names of frontends, of all by the same two processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_process, (port, folder), nprocs=2)
        found = [json.loads(file.read_text()) for file in Path(folder).iterdir()]
    assert len(found) == 2
    return found[0] | found[1]


def _process(rank, port, folder):
    where = {"init_method": f"tcp://localhost:{port}", "timeout": timedelta(minutes=1)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2, **where)
    wrong = {}
    for name in MODULES:
        try:
            _averages(name, rank)
        except AssertionError as error:
            wrong[name] = str(error)
    (Path(folder) / str(rank)).write_text(json.dumps(wrong))
    torch.distributed.destroy_process_group()


def _averages(name, rank):
    """Raise an AssertionError where this process's gradients are not the mean of both."""
    torch.manual_seed(0)
    made, alone = nn.Sequential(layer(name), nn.Conv1d(BANDS, 2, 1)), []
    for seed in range(2):
        copied = copy.deepcopy(made)
        copied(noise(2, seed=seed)).square().mean().backward()
        alone.append([each.grad for each in copied.parameters() if each.requires_grad])
    parallel = nn.parallel.DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(made))
    parallel(noise(2, seed=rank)).square().mean().backward()
    found = [each.grad for each in made.parameters() if each.requires_grad]
    for ours, *theirs in zip(found, *alone, strict=True):
        torch.testing.assert_close(ours, sum(theirs) / 2)
