"""Models from the Hugging Face Hub: found in a cache, or downloaded once and then used offline.

`HF_HOME`, `HF_ENDPOINT` and `HF_TOKEN` are respected; without `HF_HOME` the cache lies in the data folder. A Hub in a
private network is called only with `CROSSROADS_HUB_ALLOW_PRIVATE=true`, a variable because `HF_ENDPOINT` is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.remote.address import AddressRule
from backends.remote.transport import checked_transport
from backends.storage import strict_json

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "1_Pooling/*"]
_UNWANTED = ["onnx/*", "openvino/*", "original/*"]
_ADAPTER_CONFIG, _ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_ADAPTER_TEXTS = ["card.json", "README.md", "LICENSE"]

MAX_ADAPTER_BYTES = 2_000_000_000
"""What an adapter's weights may take; a LoRA of a 7B model at rank 64 takes about 320 MB in bfloat16."""


ALLOW_PRIVATE = "CROSSROADS_HUB_ALLOW_PRIVATE"
"""The variable that lets a Hub, and what it redirects to, have addresses of a private network."""


def _hub_folder(data: Path) -> Path | None:
    """The user's own Hub cache if HF_HOME or HF_HUB_CACHE is set, else one inside the data folder."""
    if os.environ.get("HF_HOME") or os.environ.get("HF_HUB_CACHE"):
        return None
    return (data / "hub").resolve()


def cached(model_id: str, data: Path, revision: str | None) -> Path | None:
    """A snapshot that an earlier download finished, in our cache or in the user's own (only read).

    Raises `BackendError` for an id or a revision that cannot exist.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    _check_revision(revision)
    for cache in dict.fromkeys((_hub_folder(data), None)):
        try:
            found = snapshot_download(
                model_id,
                revision=revision or None,
                cache_dir=cache,
                local_files_only=True,
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
            )
        except LocalEntryNotFoundError:  # nothing there, or files of its list are missing
            continue
        except HFValidationError:
            raise BackendError(f"{model_id[:100]!r} is not a Hub id.", "Hub ids look like owner/name.") from None
        if _is_complete(Path(found)):
            return Path(found)
    return None


def _check_revision(revision: str | None) -> None:
    """A revision becomes part of a path in the cache."""
    if revision and (not re.fullmatch(r"\w[\w./-]{0,199}", revision) or ".." in revision):
        raise BackendError(f"{revision[:100]!r} is not a revision.", "Give a branch, a tag or a commit.")


def _is_complete(folder: Path) -> bool:
    """Whether config and weights are there, every shard of an index included."""
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        return False
    for index in folder.glob("*.safetensors.index.json"):
        try:
            shards = set(strict_json.an_object(index.read_bytes())["weight_map"].values())
            if not all((folder / shard).is_file() for shard in shards):
                return False
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return False
    return True


def download(model_id: str, data: Path, revision: str | None) -> Path:
    """Fetch what is needed of a repository. The snapshot's folder is named by its commit."""
    from huggingface_hub import HfApi, snapshot_download

    endpoint = _endpoint()
    with _hub_faults(model_id, revision):
        info = HfApi(endpoint=endpoint).model_info(model_id, revision=revision or None, timeout=20)
        if not any(file.rfilename.endswith(".safetensors") for file in info.siblings or ()):
            raise BackendError(
                f"{model_id} has no safetensors weights on the Hub.",
                "Only safetensors are loaded; choose another model.",
            )
        # Asked by its name and not by its commit, so that the cache knows later which commit the name meant.
        return Path(
            snapshot_download(
                model_id,
                revision=revision or None,
                endpoint=endpoint,
                cache_dir=_hub_folder(data),
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
            )
        )


def download_adapter(repository: str, data: Path, revision: str | None = None) -> Path:
    """Fetch an adapter's own files, pinned to the commit that `revision` means now and that names the folder.

    Raises `BackendError` for a repository that holds no adapter, or none in safetensors, and for the Hub's faults.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    _check_revision(revision)
    try:
        validate_repo_id(repository)
    except HFValidationError:
        raise BackendError(f"{repository[:100]!r} is not a Hub id.", "Hub ids look like owner/name.") from None
    endpoint = _endpoint()
    with _hub_faults(repository, revision):
        info = HfApi(endpoint=endpoint).model_info(
            repository, revision=revision or None, timeout=20, files_metadata=True
        )
        sizes = {file.rfilename: file.size for file in info.siblings or ()}
        _check_adapter(repository, sizes)
        return Path(
            snapshot_download(
                repository,
                revision=info.sha,
                endpoint=endpoint,
                cache_dir=_hub_folder(data),
                allow_patterns=[_ADAPTER_CONFIG, _ADAPTER_WEIGHTS, *_ADAPTER_TEXTS],
            )
        )


def _endpoint() -> str | None:
    """The Hub to ask, None for the usual one. From here on, the library's requests obey the rule for addresses."""
    _check_addresses(os.environ.get(ALLOW_PRIVATE, "").strip().lower() in ("1", "true", "yes", "on"))
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


@lru_cache(1)
def _check_addresses(allow_private: bool) -> None:
    """Give the library a client that judges every request, redirects to a file's store included.

    Xet, its second way to fetch a file, connects by itself to addresses that the Hub names, so it is turned off.
    """
    from huggingface_hub import constants, set_client_factory

    rule = AddressRule(
        allow_private,
        "Check HF_ENDPOINT, and where the server there redirects to.",
        f"If you trust the Hub at HF_ENDPOINT and where it redirects to, set the variable {ALLOW_PRIVATE}=true.",
    )
    constants.HF_HUB_DISABLE_XET = True
    set_client_factory(lambda: _client(rule))


def _client(rule: AddressRule) -> httpx2.Client:
    """As the library's own `default_client_factory` makes it, with a transport of ours."""
    import httpx2
    from huggingface_hub.utils._http import hf_request_event_hook

    return httpx2.Client(
        transport=checked_transport(httpx2, rule),
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=None,
    )


def _check_adapter(repository: str, sizes: dict[str, int | None]) -> None:
    if _ADAPTER_CONFIG not in sizes:
        raise BackendError(
            f"{repository} is no adapter: it has no {_ADAPTER_CONFIG}.",
            "Choose an adapter; a model of its own is set as raw.model.",
        )
    if _ADAPTER_WEIGHTS not in sizes:
        raise BackendError(
            f"{repository} has no adapter weights as safetensors on the Hub.",
            "Only safetensors are loaded; choose another adapter.",
        )
    size = sizes[_ADAPTER_WEIGHTS] or 0
    if size > MAX_ADAPTER_BYTES:
        raise BackendError(
            f"The weights of {repository} take {size / 1e9:.3g} GB, more than the {MAX_ADAPTER_BYTES / 1e9:.3g} GB "
            "that an adapter may take.",
            "Choose a smaller one.",
        )


@contextmanager
def _hub_faults(model_id: str, revision: str | None) -> Iterator[None]:
    """The Hub's faults as sentences. What the library says is left out: it may quote the request, token included."""
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise BackendError(f"{model_id} is gated on the Hub.", "Accept its terms there and set HF_TOKEN.") from None
    except RepositoryNotFoundError:
        raise _unknown(model_id) from None
    except RevisionNotFoundError:
        raise BackendError(
            f"{model_id} has no revision {revision}.", "Choose a branch, tag or commit that exists."
        ) from None
    except HfHubHTTPError as error:
        raise _refused(model_id, error) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, KeyError) as error:
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
        if isinstance(cause, HfHubHTTPError):
            raise _refused(model_id, cause) from None
        if isinstance(cause, OSError) and cause.errno:  # the library wraps faults of the network, these are the disk's
            raise BackendError(
                f"{model_id} could not be written to disk: {cause.strerror}.", "Make room for it and ask again."
            ) from None
        raise BackendError(
            f"{model_id} is not on this machine and the Hub did not deliver it ({type(cause).__name__}).",
            "Check the network or HF_ENDPOINT and ask again, or use a local folder.",
        ) from None


def _refused(model_id: str, error: HfHubHTTPError) -> BackendError:
    status = error.response.status_code
    if status == 401 and "authorization" not in error.response.request.headers:
        return _unknown(model_id)
    if status == 401:
        return BackendError(f"The Hub refused the token that it was sent for {model_id}.", "Correct or unset HF_TOKEN.")
    if status == 403:
        return BackendError(f"The Hub does not let you read {model_id}.", "Set HF_TOKEN to a token that may read it.")
    return BackendError(
        f"{model_id} is not on this machine and the Hub answered with status {status}.",
        "Ask again later, or use a local folder.",
    )


def _unknown(model_id: str) -> BackendError:
    return BackendError(
        f"There is no model {model_id} on the Hub, or it is private.",
        "Check the id, or set HF_TOKEN for a private one.",
    )
