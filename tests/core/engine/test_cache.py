"""What is kept is found again, exactly; what is damaged, foreign or too much is not trusted or kept."""

import errno
import os
import resource
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from core.engine.cache import Cache
from core.engine.disk_cache import QUEUED_WRITE_BYTES, DiskCache
from core.engine.prompt import Ints, picture_keys
from core.model.kv import KV

MUCH = 10**9


def rows(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


def make_kv(length: int = 0, seed: int = 0, dtype: torch.dtype = torch.float16) -> KV:
    kv = KV(layers=2, heads=2, capacity=16, dim=4, dtype=dtype)
    random = torch.Generator().manual_seed(seed)
    for layer in range(2):
        kv.write(layer, torch.randn(length, 4, 4, generator=random))
    kv.length = length
    return kv


def open_cache(folder: Path, identity: str = "model-1", limit: int = MUCH, disk: int = MUCH) -> Cache:
    return Cache(limit, DiskCache(folder, identity, disk))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_longest_known_beginning_is_taken_over_exactly(dtype: torch.dtype) -> None:
    cache = Cache(MUCH, None)
    kept = make_kv(5, dtype=dtype)
    cache.keep("t:1", rows(1, 2, 3, 4, 5), kept)
    cache.keep("t:1", rows(1, 2, 9), make_kv(3, seed=1))
    kv = make_kv(dtype=dtype)
    assert cache.load_prefix(rows(1, 2, 3, 4, 8, 8), kv) == 4
    assert torch.equal(kv.rows[:, :, :4], kept.rows[:, :, :4])


def test_the_last_row_is_always_computed() -> None:
    cache = Cache(MUCH, None)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    assert cache.load_prefix(rows(1, 2, 3), make_kv()) == 2


def test_what_a_longer_conversation_continues_is_forgotten(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.keep("t:1", rows(1, 2), make_kv(2))
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.close()
    assert len(list(tmp_path.rglob("rows-*.safetensors"))) == 1


@pytest.mark.parametrize("limit", [MUCH, 0])
def test_a_forgotten_conversation_leaves_nothing_and_others_stay(tmp_path: Path, limit: int) -> None:
    foreign = open_cache(tmp_path, "model-2")
    foreign.keep("t:1", rows(1, 2, 3), make_kv(3))
    foreign.keep_picture("cat", torch.zeros(1, 2, 2))
    foreign.close()
    cache = open_cache(tmp_path, limit=limit)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.keep("t:12", rows(1, 4, 5), make_kv(3))
    cache.keep_picture("cat", torch.zeros(1, 2, 2))
    cache.keep_picture("dog", torch.zeros(1, 2, 2))
    cache.forget("t:1", ["cat"])  # with what is still being written
    cache.close()
    assert cache.reusable(rows(1, 2, 3, 4)) <= 1
    assert cache.reusable(rows(1, 4, 5, 6)) == 3
    assert not cache.has_picture("cat")
    assert cache.has_picture("dog")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_what_shows_a_removed_picture_goes_with_it(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    shown = np.concatenate([rows(1, 2), picture_keys("cat", 4), rows(3)])
    cache.keep("t:1", shown, make_kv(7))
    cache.keep("t:1", rows(1, 5), make_kv(2))
    cache.forget(None, ["cat"])
    cache.close()
    assert cache.reusable(np.append(shown, 9)) == 1
    assert cache.reusable(rows(1, 5, 6)) == 2
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_of_what_nobody_knows_nothing_is_kept_but_what_was_just_used(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0)
    cat, dog = (np.concatenate([rows(number), picture_keys(name, 3)]) for number, name in enumerate(("cat", "dog")))
    cache.keep("t:1", cat, make_kv(4))
    cache.keep("t:1", np.append(dog, [5, *cat[1:]]), make_kv(8))
    cache.keep("t:2", rows(7, 8), make_kv(2))
    cache.keep_picture("cat", torch.zeros(1, 2, 2))
    cache.keep_picture("dog", torch.zeros(1, 2, 2))
    cache.close()
    earlier = tmp_path / "model-0-1"
    earlier.mkdir()
    for name in (f"rows-{64 * 'a'}.safetensors", "tmpabc.safetensors.tmp", "picture-dog.safetensors"):
        (earlier / name).write_bytes(b"of an earlier version")
    for path in tmp_path.rglob("*.safetensors*"):
        os.utime(path, (1, 1))
    again = open_cache(tmp_path, limit=0)
    again.keep_picture("bird", torch.zeros(1, 2, 2))
    again.keep_only(["t:1", "t:3"], ["cat"])
    again.close()
    assert again.reusable(np.append(cat, 9)) == 4
    assert sorted(path.name.partition("-")[2] for path in tmp_path.rglob("picture-*")) == [
        "bird.safetensors",
        "cat.safetensors",
    ]
    assert len(list(tmp_path.rglob("*.safetensors*"))) == 3


def test_memory_keeps_only_what_is_known() -> None:
    cache = Cache(MUCH, None)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.keep("t:2", rows(4, 5, 6), make_kv(3))
    cache.keep_picture("cat", torch.zeros(1, 2, 2))
    cache.keep_only(["t:2"], [])
    assert [cache.reusable(rows(*known, 9)) for known in ((1, 2, 3), (4, 5, 6))] == [0, 3]
    assert not cache.has_picture("cat")


def test_a_long_file_is_not_read_for_the_few_rows_that_every_prompt_begins_with(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0)
    cache.keep("t:1", rows(*range(10)), make_kv(10))
    cache.close()
    assert cache.reusable(rows(0, 1, 2, 99)) == 0
    assert cache.reusable(rows(0, 1, 2, 3, 4, 99)) == 5


def test_what_is_larger_than_memory_pushes_nothing_out(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=100)
    cache.keep_picture("small", torch.zeros(1, 4, 5))  # 80 bytes
    cache.keep_picture("large", torch.zeros(1, 4, 50))
    assert cache.used == 80
    cache.close()


def test_nobody_else_may_read_what_was_computed_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache = open_cache(tmp_path / "cache")
        cache.keep("t:1", rows(1, 2, 3), make_kv(3))
        cache.keep_picture("cat", torch.randn(2, 6, 8).half())
        cache.close()
    finally:
        os.umask(before)
    modes = {path.is_file(): path.stat().st_mode & 0o777 for path in tmp_path.joinpath("cache").rglob("*")}
    assert modes == {True: 0o600, False: 0o700}


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    kept = make_kv(3)
    features = torch.randn(2, 6, 8).half()
    cache.keep("t:1", rows(1, 2, 3), kept)
    cache.keep_picture("cat", features)
    cache.close()
    again = open_cache(tmp_path)
    kv = make_kv()
    assert again.load_prefix(rows(1, 2, 3, 4), kv) == 3
    assert torch.equal(kv.rows[:, :, :3], kept.rows[:, :, :3])
    found = again.picture("cat")
    assert found is not None
    assert torch.equal(found, features)
    again.close()


def change(path: Path, harm: str) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x10
    damaged = {"cut off": content[:-9], "a flipped bit": content, "empty": b"", "text": b"not a cache file"}
    if harm in damaged:
        path.write_bytes(bytes(damaged[harm]))
        return
    path.unlink()
    match harm:
        case "a folder":
            (path / "with" / "things").mkdir(parents=True)
        case "a pipe":
            os.mkfifo(path)
        case "a link to nothing":
            path.symlink_to("/nowhere/at/all")
        case "a link to itself":
            path.symlink_to(path)
        case "a link to a device":
            path.symlink_to("/dev/zero")
        case "another's rows":
            save_file({"rows": np.ones((2, 3)), "kv": np.ones(4)}, path, {"seal": "00000000"})
        case "a type that numpy has not":
            save_tensors({"rows": torch.ones(3).bfloat16(), "features": torch.ones(3).bfloat16()}, path)


HARMS = [
    "cut off", "a flipped bit", "empty", "text", "a folder", "a pipe", "a link to nothing", "a link to itself",
    "a link to a device", "another's rows", "a type that numpy has not",
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "before a start"])
def test_a_damaged_file_is_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str, running: bool
) -> None:
    cache = open_cache(tmp_path, limit=0)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.keep_picture("cat", torch.randn(2, 6, 8))
    wait(cache)
    if not running:
        cache.close()
    for path in tmp_path.rglob("*.safetensors"):
        change(path, harm)
    again = cache if running else open_cache(tmp_path, limit=0)
    assert again.picture("cat") is None
    assert again.load_prefix(rows(1, 2, 3, 4), make_kv()) == 0
    wait(again)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert "picture-cat" in caplog.text and "rows-" in caplog.text
    again.keep("t:1", rows(1, 2, 3), make_kv(3))
    again.keep_picture("cat", torch.randn(2, 6, 8))
    wait(again)
    assert again.picture("cat") is not None
    assert again.load_prefix(rows(1, 2, 3, 4), make_kv()) == 3
    again.close()


def wait(cache: Cache) -> None:
    """Until the writer's thread has done what it was given."""
    assert cache._disk
    cache._disk._writer.submit(lambda: None).result()


def test_what_stands_where_a_file_is_to_be_written_gives_way(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0)
    (folder,) = tmp_path.iterdir()
    (folder / "picture-cat.safetensors" / "things").mkdir(parents=True)
    (folder / "picture-dog.safetensors").symlink_to("/dev/full")
    features = torch.randn(2, 6, 8)
    for name in ("cat", "dog"):
        cache.keep_picture(name, features)
    wait(cache)
    for name in ("cat", "dog"):
        found = cache.picture(name)
        assert found is not None and torch.equal(found, features)
    cache.close()


def test_links_and_folders_named_like_files_do_not_keep_the_folder_from_its_limit(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0, disk=20_000)
    (folder,) = tmp_path.iterdir()
    (folder / "picture-a.safetensors").symlink_to("/nowhere")
    (folder / "picture-b.safetensors" / "things").mkdir(parents=True)
    os.mkfifo(folder / "rows-c.safetensors")
    for path in folder.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    for number in range(20):
        cache.keep_picture(f"p{number}", torch.zeros(1, 40, 50))  # 8,000 bytes
    cache.forget(None, ["p3"])
    cache.keep_only([], ["p19"])
    cache.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("p*.safetensors") if path.is_file()) <= 20_000


def test_a_disk_that_is_too_slow_keeps_little_waiting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = open_cache(tmp_path, limit=0)
    assert cache._disk
    go_on = threading.Event()
    cache._disk._writer.submit(go_on.wait)
    large = torch.zeros(1, 1 << 20, 25)  # 105 MB that are never written to
    for number in range(6):
        cache.keep_picture(f"p{number}", large)
    assert sum(size for _, size in cache._disk._pending) <= QUEUED_WRITE_BYTES
    go_on.set()
    wait(cache)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    assert caplog.text.count("the disk is too slow") == 4
    cache.keep_picture("small", torch.zeros(1, 2, 2))
    cache.close()
    assert cache.has_picture("small")


def test_files_that_cannot_be_opened_for_want_of_memory_are_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path, limit=0)
    cache.keep_picture("cat", torch.randn(2, 6, 8))
    wait(cache)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr("core.engine.disk_cache.TensorFile", fail)
        with pytest.raises(OSError, match="allocate"):
            cache.picture("cat")
    assert cache.picture("cat") is not None
    cache.close()


def test_a_file_of_another_model_is_not_trusted(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.keep_picture("cat", torch.randn(2, 6, 8))
    cache.close()
    other = open_cache(tmp_path, "model-2")
    assert other.picture("cat") is None
    other.close()
    (file,) = tmp_path.rglob("picture-cat.safetensors")
    file.rename(tmp_path / file.parent.name.replace("model-1", "model-2") / file.name)
    smuggled = open_cache(tmp_path, "model-2")
    assert smuggled.picture("cat") is None
    smuggled.close()


def test_memory_forgets_what_was_used_least_recently() -> None:
    features = torch.zeros(1, 10, 10)  # 400 bytes
    cache = Cache(900, None)
    cache.keep_picture("a", features)
    cache.keep_picture("b", features)
    assert cache.picture("a") is not None
    cache.keep_picture("c", features)
    assert cache.picture("b") is None
    assert cache.picture("a") is not None
    assert cache.used <= 900


def test_the_folder_stays_below_its_limit(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0, disk=20_000)
    for number in range(20):
        cache.keep_picture(f"p{number}", torch.zeros(1, 40, 50))  # 8,000 bytes
    cache.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 20_000
    again = open_cache(tmp_path)
    assert again.picture("p19") is not None
    assert again.picture("p0") is None
    again.close()


def test_a_smaller_limit_goes_on_to_hold(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    kept = make_kv(5)
    size = kept.rows[:, :, :5].nbytes
    cache.keep("t:1", rows(1, 2, 3, 4, 5), kept)
    cache.resize(size - 1)
    cache.close()
    assert cache.used == 0
    assert cache.load_prefix(rows(1, 2, 3, 4, 5, 6), make_kv()) == 5
    assert cache.used <= size - 1


def test_room_is_made_before_a_conversation_is_copied() -> None:
    size = make_kv(5).rows[:, :, :5].nbytes
    entry = size + rows(1, 2, 3, 4, 5).nbytes
    cache = Cache(3 * entry, None)
    for first in range(3):
        cache.keep("t:1", rows(first, 2, 3, 4, 5), make_kv(5))
    assert cache.used == 2 * entry  # beside the one in memory that the last was copied from
    assert cache.reusable(rows(0, 2, 3)) == 0


def test_a_shorter_beginning_is_taken_when_the_file_of_the_longest_is_gone(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0)
    cache.keep("t:1", rows(1, 2, 3, 4), make_kv(4))
    cache.keep("t:1", rows(1, 2, 9), make_kv(3))
    cache.close()
    again = open_cache(tmp_path, limit=0)
    max(tmp_path.rglob("rows-*"), key=lambda path: path.stat().st_size).unlink()
    assert again.reusable(rows(1, 2, 3, 4, 5)) == 4
    assert again.load_prefix(rows(1, 2, 3, 4, 5), make_kv()) == 2
    assert again.reusable(rows(1, 2, 3, 4, 5)) == 2
    again.close()


def test_a_conversation_that_memory_has_no_room_for_is_found_once_it_is_written(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, limit=0)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.load_prefix(rows(1, 2, 3, 4), make_kv())  # maybe too early
    cache.close()
    assert cache.load_prefix(rows(1, 2, 3, 4), make_kv()) == 3


def test_what_had_to_leave_the_folder_is_not_looked_for_any_more(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, "model-1", 0)
    cache = Cache(0, disk)
    cache.keep("t:1", rows(1, 2, 3), make_kv(3))
    cache.close()
    assert disk.rows == {}


def test_what_a_killed_process_left_half_written_counts_and_goes_first(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, disk=20_000)
    (folder,) = tmp_path.iterdir()
    left = folder / "tmpabc.safetensors.tmp"
    left.write_bytes(bytes(15_000))
    os.utime(left, (1, 1))
    cache.keep_picture("cat", torch.zeros(1, 40, 50))  # 8,000 bytes
    cache.close()
    assert [path.name for path in folder.iterdir()] == ["picture-cat.safetensors"]


def test_a_full_disk_costs_no_answer_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = open_cache(tmp_path)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most[1]))
    try:
        cache.keep_picture("cat", torch.zeros(1, 40, 50))
        cache.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert "picture-cat was not kept on disk" in caplog.text
    assert cache.picture("cat") is not None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    (folder,) = tmp_path.iterdir()
    folder.rmdir()
    cache.keep_picture("cat", torch.zeros(1, 2, 2))
    assert cache.picture("cat") is not None
    cache.close()


def test_what_must_not_be_stored_is_kept_in_memory_alone(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.keep("t:1", rows(1, 2), make_kv(2))
    cache.keep("chat", rows(1, 2, 3), make_kv(3), on_disk=False)
    cache.keep_picture("secret", torch.zeros(1, 2, 3), on_disk=False)
    assert cache.has_picture("secret")
    assert cache.load_prefix(rows(1, 2, 3, 4), make_kv()) == 3
    cache.close()
    again = open_cache(tmp_path)
    assert not again.has_picture("secret")
    assert again.load_prefix(rows(1, 2, 3, 4), make_kv()) == 2
