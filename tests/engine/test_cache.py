"""Results in RAM: least recently used first, bounded by bytes."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from hcpgraph.running.cache import Cache, size_of


def block(kilobytes):
    return np.zeros(kilobytes << 10, dtype=np.uint8)


def test_the_least_recently_used_goes_first():
    cache = Cache(max_bytes=10 << 10)
    for name in "abc":
        cache.put(name, block(3))
    cache.get("a")
    cache.put("d", block(3))
    assert [name in cache for name in "abcd"] == [True, False, True, True]
    assert cache.bytes <= cache.max_bytes and len(cache) == 3


def test_the_bound_holds_for_large_values():
    cache = Cache(max_bytes=10 << 10)
    cache.put("small", block(1))
    cache.put("huge", block(11))
    assert "huge" not in cache and "small" in cache
    cache.put("most", block(9))
    assert "most" in cache and cache.bytes <= cache.max_bytes


def test_replacing_and_dropping_keep_the_books():
    cache = Cache()
    cache.put("a", block(4))
    first = cache.bytes
    cache.put("a", block(4))
    assert cache.bytes == first
    cache.drop(["a", "nothing"])
    assert cache.bytes == 0 and len(cache) == 0
    with pytest.raises(KeyError):
        cache.get("a")


def test_memory_is_counted_once():
    tensor = torch.zeros(1000)
    assert 4000 <= size_of(tensor) < 5000
    assert size_of([tensor, tensor, tensor[:10], tensor.view(10, 100)]) < 7000
    assert size_of(tensor[:10]) >= 4000


def test_modules_dataclasses_and_texts():
    @dataclass
    class Holder:
        item: object

    layer = nn.Linear(100, 100)
    layer.register_buffer("more", torch.zeros(500))
    assert 42_400 <= size_of(Holder(layer)) < 45_000
    assert size_of(Holder([layer, nn.Sequential(layer)])) < 47_000
    assert size_of({"a": "x" * 5000, "b": (b"y" * 5000,)}) >= 10_000
    assert size_of(SimpleNamespace(nbytes=lambda: 77_000)) >= 77_000
