"""Networks against the study's TensorFlow graphs."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.types import DataError
from marks import slow_but
from parity import files, leaf, networks

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests/parity/golden").glob("*.npz"))
INPUTS = ("mel", "labels", "learning_rate")
QUANTITIES = {
    "pons_proto_log_eps": 44,
    "pons_sb_cnn_log_eps": 27,
    "pons_timbre_log_learn": 21,
    "pons_vgg_log_eps": 49,
    "leaf_16k_40_init": 9,
    "leaf_16k_40_moved": 9,
    "leaf_linear_44k_128": 5,
    "leaf_log_16k_40_moved": 5,
    "td_fbanks_16k_40": 4,
    "sincnet_16k_40": 6,
    "sincnet_plus_16k_40": 7,
}


TITLES = {
    "pons_proto_log_eps": ("prototypical VGG", "5 classes", "log-EPS", "3 updates"),
    "pons_sb_cnn_log_eps": ("SBCNN", "10 classes", "log-EPS", "5 updates"),
    "pons_timbre_log_learn": ("Timbre", "10 classes", "log-learn with 1", "5 updates"),
    "pons_vgg_log_eps": ("VGG", "10 classes", "log-EPS", "5 updates"),
    "leaf_16k_40_init": ("40 filters", "PCEN", "16000 Hz", "160 samples"),
    "leaf_16k_40_moved": ("40 filters", "PCEN", "16000 Hz", "160 samples"),
    "leaf_linear_44k_128": ("128 filters", "no compression", "44100 Hz", "1024 samples"),
    "leaf_log_16k_40_moved": ("40 filters", "log", "16000 Hz", "160 samples"),
    "td_fbanks_16k_40": ("td_fbanks", "40 filters", "log", "160 samples"),
    "sincnet_16k_40": ("SincNet", "40 filters", "norm over bands", "160 samples"),
    "sincnet_plus_16k_40": ("SincNet", "40 filters", "PCEN with fixed smoothing", "160 samples"),
}


QUICK = (
    "pons_timbre_log_learn",
    "leaf_16k_40_moved",
    "td_fbanks_16k_40",
    "sincnet_16k_40",
    "sincnet_plus_16k_40",
)


def marked(path):
    return pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("path", [marked(path) for path in FILES])
def test_the_original_is_followed(path):
    title, checks = files.compare(path)
    assert [check.name for check in checks if not check.ok] == []
    assert len(checks) == QUANTITIES[path.stem]
    judged = [check for check in checks if check.tolerance]
    assert len(judged) >= len(checks) - 6
    assert all(word in title for word in TITLES[path.stem])


@pytest.mark.parametrize(
    "path", [file for file in FILES if file.stem.startswith("leaf")], ids=lambda path: path.stem
)
def test_the_exact_engine_follows_the_reference_too(path, monkeypatch):
    monkeypatch.setattr(leaf, "Conv", Exact)
    _, checks = files.compare(path)
    ill_conditioned = {"loss"}  # little is left of its waves
    assert {check.name for check in checks if not check.ok} <= ill_conditioned
    assert len(checks) == QUANTITIES[path.stem]


@pytest.mark.parametrize(("frames", "hop"), [(100, 160), (50, 320), (80, 200), (125, 128)])
def test_samples_per_frame_follow_from_the_frames_of_a_second(frames, hop):
    assert leaf._hop(16000, frames, 16000, 401, "tf") == hop


def changed(tmp_path, name, change):
    arrays = dict(np.load(ROOT / f"tests/parity/golden/{name}.npz"))
    change(arrays)
    np.savez(tmp_path / "changed.npz", **arrays)
    return tmp_path / "changed.npz"


TIMBRE, TD = "pons_timbre_log_learn", "tfbanks_complex_conv/kernel:0"
QUICKLY_MISSED = [  # the file, the array that is changed, what is told of it
    (TIMBRE, "cost", "cost, step 1"),
    (TIMBRE, "after/timbre/1CNN/kernel:0", "after/timbre/1CNN/kernel:0"),
    ("td_fbanks_16k_40", f"grad/tfbanks/{TD}", f"gradient of {TD}"),
    ("sincnet_16k_40", "out", "out"),
    ("sincnet_plus_16k_40", "grad/kernel:0", "gradient of column 0 of kernel:0"),
]
MISSED = [
    *QUICKLY_MISSED,
    (TIMBRE, "logits_eval_before", "logits_eval_before"),
    (TIMBRE, "logits_train_before", "logits_train_before"),
    (TIMBRE, "logits_eval_after", "logits_eval_after"),
    (TIMBRE, "grad_norm", "grad_norm, step 1"),
    (TIMBRE, "after/model/log_learn/ta:0", "after/model/log_learn/ta:0"),
    ("leaf_16k_40_moved", "out", "out"),
    ("leaf_16k_40_moved", "grad/leaf/PCEN/delta:0", "gradient of PCEN/delta:0"),
]


@pytest.mark.parametrize("case", slow_but(*QUICKLY_MISSED, of=MISSED), ids=" ".join)
def test_a_deviation_is_a_miss(tmp_path, case):
    name, array, missed = case
    path = changed(
        tmp_path, name, lambda arrays: arrays.update({array: arrays[array] * np.float32(1.02)})
    )
    assert missed in [check.name for check in files.compare(path)[1] if not check.ok]


SCALARS = ("model/log_learn/ta:0", "model/log_learn/ba:0", "timbre/batch_normalization/gamma:0")


@pytest.mark.parametrize("name", slow_but("model/log_learn/ta:0", of=SCALARS))
def test_an_update_in_the_other_direction_is_a_miss(tmp_path, name):
    """Though the value is within tolerance: one update moves a from 7 by 6e-6."""

    def turned(arrays):
        arrays[f"after/{name}"] = 2 * arrays[f"init/{name}"] - arrays[f"after/{name}"]

    _, checks = files.compare(changed(tmp_path, "pons_timbre_log_learn", turned))
    assert [check.name for check in checks if not check.ok] == [f"after/{name}"]


def test_the_order_of_arrays_in_a_file_plays_no_part(tmp_path):
    def turned(arrays):
        items = sorted(arrays.items(), reverse=True)
        arrays.clear()
        arrays.update(items)

    assert all(
        check.ok for check in files.compare(changed(tmp_path, "pons_timbre_log_learn", turned))[1]
    )


def test_two_pairs_of_scalars_are_those_of_supports_and_queries(tmp_path):
    def learned(arrays):
        for scope, a in (("log_learn", 3), ("log_learn_1", 7)):
            arrays |= {
                f"init/model/{scope}/ta:0": np.float32(a),
                f"init/model/{scope}/ba:0": np.float32(1),
            }
        for name in [
            name
            for name in arrays
            if name.startswith("after/") or name in ("cost", "grad_norm", "logp_eval_after")
        ]:
            del arrays[name]

    network = networks.network_of(files.read(changed(tmp_path, "pons_proto_log_eps", learned)))
    assert (network.support_frontend.a.item(), network.frontend.a.item()) == (3, 7)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda arrays: arrays.pop("mel"), "no known format; expected mel, labels or mel_support"),
        (
            lambda arrays: arrays.pop("learning_rate"),
            "not as a file with mel, labels should be: .*learning_rate",
        ),
        (
            lambda arrays: arrays.pop("init/timbre/1CNN/kernel:0"),
            "not as a file with mel, labels should be: 'kernel'",
        ),
        (
            lambda arrays: arrays.update(
                {"init/timbre/1CNN/kernel:0": np.zeros((7, 86, 1, 10), "f4")}
            ),
            r"\[\(7, 86\)\] .* none of",
        ),
        (
            lambda arrays: arrays.update(labels=np.full(10, 10)),
            "not as a file with mel, labels should be",
        ),
        (
            lambda arrays: arrays.update(mel=arrays["mel"][:, :, :64]),
            "not as a file with mel, labels should be",
        ),
        (
            lambda arrays: [arrays.pop(name) for name in ("cost", "grad_norm")],
            "neither cost nor grad_norm to say how many updates",
        ),
        (
            lambda arrays: [
                arrays.pop(name)
                for name in list(arrays)
                if name not in INPUTS and not name.startswith("init/")
            ],
            "nothing to",
        ),
        (
            lambda arrays: arrays.update(logits_eval_before=np.zeros((10, 3), "f4")),
            r"shape \(10, 3\) in the file, \(10, 10\)",
        ),
    ],
)
def test_a_file_that_cannot_be_compared_says_why(tmp_path, change, text):
    with pytest.raises(DataError, match=text):
        files.compare(changed(tmp_path, "pons_timbre_log_learn", change))


def test_the_script_prints_every_quantity_and_fails_on_a_miss(tmp_path, monkeypatch, capsys):
    good = ROOT / "tests/parity/golden/pons_timbre_log_learn.npz"
    bad = changed(tmp_path, good.stem, lambda arrays: arrays.update(cost=arrays["cost"] + 1))
    (tmp_path / "text.npz").write_text("no arrays")
    files_given = [str(bad), str(tmp_path / "text.npz"), str(good)]
    monkeypatch.setattr(sys, "argv", ["parity.py", *files_given])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts/parity.py"), run_name="__main__")
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert printed.out.count("MISS") == 3
    assert "changed.npz: Timbre, 10 classes, log-learn with 1 (a, b), 5 updates" in printed.out
    assert "21 quantities, 3 out of tolerance" in printed.out
    assert "21 quantities, none out of tolerance" in printed.out
    assert "text.npz: no .npz file of arrays" in printed.err
