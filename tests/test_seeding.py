import hashlib

import numpy as np

from fewshot_audio.seeding import seed_for


def test_a_seed_is_the_start_of_a_sha256_over_the_names():
    digest = hashlib.sha256(b'["draw", 0, "us8k", 1, 5, 3]').hexdigest()
    assert seed_for("draw", 0, "us8k", 1, 5, 3) == int(digest[:16], 16) // 2


def test_names_are_not_run_together():
    assert (
        len({seed_for("a", "bc"), seed_for("ab", "c"), seed_for("abc"), seed_for("a", "b", "c")})
        == 4
    )


def test_seeds_spread_over_their_range():
    """The mean of 4,000 uniform numbers lies within five standard errors of a half."""
    numbers = np.array([seed_for("use", i) for i in range(4000)]) / 2**63
    assert abs(numbers.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 4000)
    assert len(set(numbers)) == 4000
