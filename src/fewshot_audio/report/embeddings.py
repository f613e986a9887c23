"""Where one run of each frontend places the test clips, in two dimensions."""

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fewshot_audio.report.checkpoints import EMBEDDINGS, answered_clips, embeddings

MOST = 1000  # clips of a map, drawn at random: t-SNE of more takes minutes
PERPLEXITY = 30  # of t-SNE, where there are clips enough
SEED = 0
SPLIT = ["n_per_class", "fold", "pool", "repeat"]
RUN = ["dataset", "model", "frontend", *SPLIT]


def located(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the test clips of one run for each dataset, model and frontend.

    Frontends show the same few-shot split where there is one of which all have a checkpoint, of
    these the one with the largest n.

    Returns:
        The columns `RUN`, path, label, x, y.

    Raises:
        StoreError: If a checkpoint cannot be read.
    """
    parts = []
    for run in _chosen(runs).to_dict("records"):
        clips = answered_clips(run["checkpoint"])
        values = embeddings(run["checkpoint"], len(clips))
        kept = np.flatnonzero(np.isfinite(values).all(axis=1))
        if len(kept) > MOST:
            kept = np.sort(np.random.default_rng(SEED).choice(kept, MOST, replace=False))
        if len(kept) < 5 or values.shape[1] < 2 or not np.ptp(values[kept], axis=0).any():
            continue  # nothing to place
        x, y = tsne(values[kept]).T
        names = {name: run[name] for name in RUN}
        parts.append(clips.iloc[kept][["path", "label"]].assign(**names, x=x, y=y))
    columns = [*RUN, "path", "label", "x", "y"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _chosen(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run with a checkpoint of each dataset, model and frontend."""
    has_embeddings = [
        pd.notna(each) and (each / EMBEDDINGS).exists() for each in runs["checkpoint"]
    ]
    kept = runs[has_embeddings].astype({"frontend": str, "model": str, "dataset": str})
    frontends = kept.groupby(["dataset", "model", *SPLIT])["frontend"].transform("nunique")
    ordered = kept.assign(frontends=frontends).sort_values(
        ["frontends", *SPLIT], ascending=[False, False, True, True, True]
    )
    return ordered.drop_duplicates(RUN[:3]).sort_values(RUN[:3])


def tsne(values: np.ndarray) -> np.ndarray:
    """Return points (clips, 2) of embeddings (clips, dims), the same each time on a machine."""
    from sklearn.manifold import TSNE  # takes a second to import

    perplexity = min(PERPLEXITY, (len(values) - 1) / 3)
    method = TSNE(perplexity=perplexity, init="pca", random_state=SEED)
    with threadpool_limits(1):  # sums in the order of threads would differ
        return method.fit_transform(values.astype(np.float32))
