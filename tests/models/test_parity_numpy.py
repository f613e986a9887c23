"""A network against a NumPy forward pass in TensorFlow's layout, by a file as of the references."""

import numpy as np

from parity import files


def log_learn(x, a, b):
    return np.log(np.exp(a) * x + np.log1p(np.exp(b)))


def conv(x, kernel, bias):
    """Valid convolution, channels last, HWIO."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
    return np.tensordot(windows, kernel, ([4, 5, 3], [0, 1, 2])) + bias


def pool(x):
    n, h, w, c = x.shape
    return x[:, : h // 4 * 4, : w // 2 * 2].reshape(n, h // 4, 4, w // 2, 2, c).max((2, 4))


NORM = {"gamma": 1.3, "beta": -0.2, "moving_mean": 2.0, "moving_variance": 4.0}


def weights_of_sb_cnn(random):
    """Weights by the names of TensorFlow, for log-learn and 15 classes."""
    shapes = {
        "1CNN": (5, 5, 1, 24),
        "2CNN": (5, 5, 24, 48),
        "3CNN": (5, 5, 48, 48),
        "dense": (2400, 64),
        "dense_1": (64, 15),
    }
    init = {"log_learn/ta:0": np.float32(6.5), "log_learn/ba:0": np.float32(0.5)}
    init |= {
        f"batch_normalization/{name}:0": np.array([value], np.float32)
        for name, value in NORM.items()
    }
    for name, shape in shapes.items():
        init[f"{name}/kernel:0"] = (
            random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        ).astype(np.float32)
        init[f"{name}/bias:0"] = random.standard_normal(shape[-1]).astype(np.float32) / 10
    return init


def test_sb_cnn_with_log_learn_and_15_classes_is_recognised(tmp_path):
    """The graph is a forward pass in NumPy, channels last: weights go through no code of ours."""
    random = np.random.default_rng(0)
    init = weights_of_sb_cnn(random)
    mel = random.exponential(0.01, (2, 128, 128)).astype(np.float32)
    v = {name: value.astype(np.float64) for name, value in init.items()}
    x = log_learn(mel.astype(np.float64)[..., None], v["log_learn/ta:0"], v["log_learn/ba:0"])
    x = (
        NORM["gamma"] * (x - NORM["moving_mean"]) / np.sqrt(NORM["moving_variance"] + 1e-3)
        + NORM["beta"]
    )
    for name in ("1CNN", "2CNN"):
        x = pool(np.maximum(conv(x, v[f"{name}/kernel:0"], v[f"{name}/bias:0"]), 0))
    x = np.maximum(conv(x, v["3CNN/kernel:0"], v["3CNN/bias:0"]), 0).reshape(2, -1)
    x = (
        np.maximum(x @ v["dense/kernel:0"] + v["dense/bias:0"], 0) @ v["dense_1/kernel:0"]
        + v["dense_1/bias:0"]
    )
    arrays = {"mel": mel, "labels": np.array([3, 14]), "learning_rate": np.float32(0.001)}
    np.savez(
        tmp_path / "a.npz",
        **arrays,
        **{f"init/{name}": value for name, value in init.items()},
        logits_eval_before=x.astype(np.float32),
    )
    title, checks = files.compare(tmp_path / "a.npz")
    assert title == "SBCNN, 15 classes, log-learn with 1 (a, b), 0 updates"
    assert [(check.name, check.ok) for check in checks] == [("logits_eval_before", True)]
    assert np.abs(x).max() > 0.1
