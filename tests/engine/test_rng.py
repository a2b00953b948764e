"""Names of random streams -> seeds: the formula of the docstring, pinned so that old runs keep their draws."""

from hashlib import blake2b
from itertools import product

from hcpgraph.rng import stream_seed


def reference(seed, stream, path, key):
    text = "\0".join([str(seed), stream, ",".join(str(index) for index in path), repr(key)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") // 2


def test_a_seed_is_the_hash_of_run_stream_path_and_sample():
    for arguments in product((0, 42), ("noise", "outer/noise"), ((), (0,), (3, 7)), (None, ("cats", 0, 5))):
        assert stream_seed(*arguments) == reference(*arguments)


def test_the_seeds_of_earlier_runs_stay_what_they_were():
    assert stream_seed(42, "noise", (7,), ("cats", 1, 3)) == 2218613742314855854
    assert stream_seed(0, "global", (0, 0)) == 3977465524000625284


def test_every_part_counts_and_none_runs_into_the_next():
    seeds = [
        stream_seed(1, "a", (1,), ("d", 0, 0)),
        stream_seed(2, "a", (1,), ("d", 0, 0)),
        stream_seed(1, "b", (1,), ("d", 0, 0)),
        stream_seed(1, "a", (2,), ("d", 0, 0)),
        stream_seed(1, "a", (1, 1), ("d", 0, 0)),
        stream_seed(1, "a", (11,), ("d", 0, 0)),
        stream_seed(1, "a", (1,), ("d", 0, 1)),
        stream_seed(1, "a", (1,), ("d", 1, 0)),
        stream_seed(1, "a", (1,)),
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
