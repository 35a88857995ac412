"""Checkpoints of the Hugging Face hub by name: taken from the local cache, or fetched into it, resumably and without pickles."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.policy.errors import PolicyError

TEXTS = ("*.json", "*.txt", "*.model")  #: configuration, tokenizer and processor files
POLICY = ("*.safetensors", *TEXTS)
LARGE = 1_000_000  #: bytes from which on a file is fetched so that it can be resumed in another process
SHA256 = 64  #: hexadecimal digits; the hub names large files by it
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")


def is_id(name: str) -> bool:
    """Whether ``owner/name`` or ``owner/name@revision``."""
    return _ID.fullmatch(name) is not None


def command(name: str, patterns: Sequence[str]) -> str:
    """What fetches the same files by hand, and goes on where an interrupted download stopped."""
    repository, _, revision = name.partition("@")
    pinned = f" --revision {revision}" if revision else ""
    return f"hf download {repository}{pinned} " + " ".join(f"--include '{pattern}'" for pattern in patterns)


def folder(
    name: str,
    progress: Callable[[str], None],
    needed: Sequence[str],
    patterns: Sequence[str] = POLICY,
    accept: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """The local folder of a repository's files that match ``patterns``: the cached one if it has all ``needed``, else fetched.

    ``accept`` sees the folder when its small files are there and may raise PolicyError before the large ones are fetched. Raises
    PolicyError, with the command that tries again.
    """
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"repo_id": repository, "revision": revision or None, "allow_patterns": list(patterns)}
    try:
        cached = _cached(wanted)
        if cached is not None and all((cached / one).exists() for one in needed):
            return cached
        progress(f"looking for {name} on the hub")
        silent = _bar(lambda count: None)
        lacking = [file for file in snapshot_download(**wanted, dry_run=True, tqdm_class=silent) if file.will_download]
        whole, come = sum(file.file_size or 0 for file in lacking), 0

        def count(more: int) -> None:
            nonlocal come
            come += more
            progress(f"downloading {name}: {come / 1e6:.0f} of {whole / 1e6:.0f} MB")

        accept(Path(snapshot_download(**{**wanted, "allow_patterns": list(TEXTS)}, tqdm_class=_bar(count))))
        for file in lacking:
            if (file.file_size or 0) >= LARGE:
                _large(repository, file, _bar(count))
        return Path(snapshot_download(**wanted, tqdm_class=_bar(count)))
    except PolicyError:
        raise
    except Exception as error:  # the client and its transport raise many kinds, all of them about this download
        raise PolicyError(_sentence(name, patterns, error.__cause__ or error)) from error


def _large(repository: str, file: Any, bar: type) -> None:
    """Bring one large file into the cache, where the client finds it; what an interrupted download left is not fetched again."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(repository, file.filename, revision=file.commit_hash)
    etag = get_hf_file_metadata(url).etag
    blob = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs" / str(etag)
    part = blob.with_name(f"{blob.name}.part")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(part.with_suffix(".lock")):
        if blob.exists():
            return
        with part.open("ab") as come:
            http_get(url, come, resume_size=come.tell(), headers=build_hf_headers(), expected_size=file.file_size, tqdm_class=bar)
        if len(blob.name) == SHA256:
            with part.open("rb") as come:
                found = hashlib.file_digest(come, "sha256").hexdigest()
            if found != blob.name:
                part.unlink()
                raise OSError(f"{file.filename} came with SHA-256 {found[:12]}… in place of {blob.name[:12]}…")
        part.rename(blob)


def _cached(wanted: dict[str, Any]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(**wanted, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _sentence(name: str, patterns: Sequence[str], error: BaseException) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    again = f"`{command(name, patterns)}`"
    if constants.HF_HUB_OFFLINE:
        where = f"{name} is no folder and not in {constants.HF_HUB_CACHE}"
        return f"{where}, and HF_HUB_OFFLINE forbids the network; unset it, or run {again} where there is one"
    if isinstance(error, GatedRepoError):
        terms = f"{name} is only given to who has accepted its terms on {constants.ENDPOINT}/{name}"
        return f"{terms}; accept them, run `hf auth login`, then {again}"
    if isinstance(error, RepositoryNotFoundError):
        return f"{constants.ENDPOINT} knows no {name}, or shows it only to its owner; expected owner/name as on its page"
    if isinstance(error, RevisionNotFoundError):
        return f"{name} names a revision that {constants.ENDPOINT} does not have; expected a branch, a tag or a commit after the @"
    why = " ".join(str(error).split())[:160]
    where = f"{name} is no folder and not whole in {constants.HF_HUB_CACHE}"
    return f"{where}, and {constants.ENDPOINT} did not give it ({why}); the same again goes on where it stopped, or by hand {again}"


def _bar(count: Callable[[int], None]) -> type:
    """A progress bar for the client that draws nothing and tells every further byte on the disk."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self._counts = kwargs.get("unit") == "B" and not str(kwargs.get("desc", "")).startswith("Downloading")
            super().__init__(*args, **{**kwargs, "disable": True})
            self._count(kwargs.get("initial", 0))

        def update(self, n: float | None = 1) -> bool | None:
            self._count(n or 0)
            return None

        def _count(self, n: float) -> None:
            if self._counts and n:
                count(int(n))

    return Bar
