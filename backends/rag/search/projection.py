"""A map of a collection: chunk vectors laid out on a plane, so that passages of like meaning lie side by side.

Principal components first (50 dimensions keep what matters and are faster), then t-SNE: L. van der Maaten and
G. Hinton, "Visualizing data using t-SNE", Journal of Machine Learning Research 9 (2008), 2579-2605.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.run.jobs import Progress
from backends.storage.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_POINTS = 2000
"""Chunks on a map; of a larger collection every n-th is shown, because the time grows (docs/measurements.md)."""

NEIGHBOURS = 3
"""Chunks on the map that decide where a vector is placed that was not laid out itself."""

_SHARPNESS = 8
"""Power of the similarity with which each neighbour counts: chosen on the sample handbook (docs/measurements.md)."""

_COMPONENTS = 50
_PERPLEXITY = 15.0
"""Of 5, 10, 15 and 30 the one that kept the handbook's neighbourhoods best (docs/measurements.md)."""

_FEWEST = 8
"""Fewer chunks than this are shown by their two principal components: t-SNE needs neighbourhoods."""

_STAGES = 4
_STAGE_ITERATIONS = 250
"""t-SNE runs in stages, each its own turn on the machine. The map is as good as that of one run."""

_maps: dict[Path, Projection] = {}
_maps_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Projection:
    """Positions in a square from -1 to 1. `rows` are the library's; `total` counts the chunks of the collection."""

    version: str
    rows: tuple[int, ...]
    xy: NDArray[np.float32]
    total: int

    @property
    def sampled(self) -> bool:
        """Whether chunks were left out."""
        return len(self.rows) < self.total


def lay_out(
    version: str,
    rows: Sequence[int],
    vectors: NDArray[np.float32],
    cancel: threading.Event,
    turn: Callable[[], AbstractContextManager[object]] | None = None,
) -> Iterator[Progress[Projection]]:
    """Lay out the vectors (n, dimension) of a collection's `rows`; ends without a map when cancelled.

    Each step runs inside `turn()`. The same input always gives the same map.
    """
    import numpy as np

    turn = turn or contextlib.nullcontext
    kept = sample(len(rows))
    steps = _STAGES + 1
    with turn():
        components = _components(np.asarray(vectors)[kept])
    yield Progress(1, steps, f"step 1 of {steps}")
    xy = components[:, :2]
    if len(kept) >= _FEWEST and xy.any():
        xy = xy / xy[:, 0].std() * 1e-4  # t-SNE starts small: Kobak and Berens, Nature Communications 10 (2019), 5416
        for stage in range(_STAGES):
            if cancel.is_set():
                return
            with turn():
                xy = _stage(components, xy, first=stage == 0)
            yield Progress(stage + 1, steps, f"step {stage + 1} of {steps}")
    if not cancel.is_set():
        projection = Projection(version, tuple(rows[i] for i in kept), _fitted(xy), len(rows))
        yield Progress(steps, steps, f"step {steps} of {steps}", projection)


def sample(count: int) -> list[int]:
    """Which of `count` chunks are shown: all, or `MAX_POINTS` that are evenly spaced in the order of storing."""
    if count <= MAX_POINTS:
        return list(range(count))
    return [index * count // MAX_POINTS for index in range(MAX_POINTS)]


def place(vectors: NDArray[np.float32], shown: NDArray[np.float32], xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Positions (n, 2) for vectors that were not laid out: a question, or a hit that the sample left out.

    Each lies at the mean of its `NEIGHBOURS` most similar `shown` vectors (whose positions are `xy`), every one
    weighted by its similarity to the power of 8. All vectors are normalised. Raises `ValueError` for an empty map.
    """
    import numpy as np

    if not len(shown):
        raise ValueError("Nothing can be placed on an empty map.")
    similar = np.atleast_2d(vectors) @ shown.T
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.maximum(np.take_along_axis(similar, nearest, axis=1), 1e-3) ** _SHARPNESS
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((xy[nearest] * weights[..., None]).sum(axis=1), dtype=np.float32)


def stored(data: Path, collection: str, version: str) -> Projection | None:
    """The map of exactly this version of a collection, from memory or from `data/index/maps`; None if there is none."""
    file = _file(data, collection)
    with _maps_lock:
        found = _maps.get(file)
        if (found is None or found.version != version) and (read := _read(file)) is not None:
            found = _maps[file] = read  # another process may have drawn it
    return found if found is not None and found.version == version else None


def store(data: Path, collection: str, projection: Projection) -> None:
    """Keep a map in place of the collection's earlier one. Raises `OSError` if it cannot be written."""
    import numpy as np

    file = _file(data, collection)
    with _maps_lock:
        _maps[file] = projection
    with replacing(file) as part, part.open("wb") as out:
        np.savez(
            out,
            version=np.array(projection.version),
            rows=np.array(projection.rows, dtype=np.int64),
            xy=projection.xy,
            total=np.array(projection.total),
        )


def _read(file: Path) -> Projection | None:
    """A map from disk; one that is missing or damaged is simply made again."""
    import numpy as np

    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            xy, rows = np.asarray(held["xy"], np.float32), tuple(int(row) for row in held["rows"])
            version, total = str(held["version"]), int(held["total"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Projection(version, rows, xy, total) if xy.shape == (len(rows), 2) else None


def _file(data: Path, collection: str) -> Path:
    name = hashlib.sha256(collection.encode("utf-8", "replace")).hexdigest()[:32]
    return Path(data).resolve() / "index" / "maps" / f"{name}.npz"


def _components(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The principal components, widest first, at least two columns."""
    import numpy as np

    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    centred = vectors - vectors.mean(axis=0)
    left, widths, _ = np.linalg.svd(centred, full_matrices=False)
    widths[widths < 1e-4] = 0  # rounding, where chunks are equal
    found = (left * widths)[:, :_COMPONENTS]
    return np.asarray(np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1])))), dtype=np.float32)


def _stage(components: NDArray[np.float32], start: NDArray[np.float32], first: bool) -> NDArray[np.float32]:
    """One stage of t-SNE from where the last one ended; clusters are exaggerated in the first."""
    import numpy as np
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    model = TSNE(
        n_components=2,
        perplexity=min(_PERPLEXITY, (len(components) - 1) / 3),
        early_exaggeration=12.0 if first else 1.0,
        max_iter=_STAGE_ITERATIONS,
        init=np.ascontiguousarray(start, dtype=np.float32),
        random_state=0,
    )
    # One thread: a second pool of OpenMP workers would go on spinning on the cores that answers need.
    with threadpool_limits(limits=1):
        return np.asarray(model.fit_transform(components), dtype=np.float32)


def _fitted(xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred and scaled into the square from -1 to 1."""
    import numpy as np

    if not len(xy):
        return np.zeros((0, 2), dtype=np.float32)
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = (high - low) / 2
    return np.asarray((xy - (low + high) / 2) / np.where(half > 0, half, 1), dtype=np.float32)
