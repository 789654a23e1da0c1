"""A process keeps the last few models: each is loaded once, none in use is let go, and memory has an end."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from clearspot.engines.kept import Kept
from clearspot.engines.studio import Studio
from clearspot.engines.weights import Weights
from clearspot.errors import MachineFault


class Model:
    """Something large."""

    alive: ClassVar[weakref.WeakSet[Model]] = weakref.WeakSet()

    def __init__(self, name: str) -> None:
        self.name = name
        Model.alive.add(self)


class Loader:
    """Loads models and remembers which."""

    def __init__(self, most: int) -> None:
        Model.alive = weakref.WeakSet()
        self.kept: Kept[Model] = Kept(most)
        self.loaded: list[str] = []

    def load(self, name: str) -> Model:
        self.loaded.append(name)
        return Model(name)

    def use(self, names: str) -> None:
        for name in names:
            with self.kept.lent(name, lambda name=name: self.load(name)) as model:
                assert model.name == name


def alive() -> set[str]:
    gc.collect()
    return {model.name for model in Model.alive}


def test_each_is_loaded_once() -> None:
    loader = Loader(2)
    loader.use("abab")
    assert loader.loaded == ["a", "b"]


def test_what_was_not_used_for_longest_is_let_go_and_loaded_again() -> None:
    loader = Loader(2)
    loader.use("abac")
    assert alive() == {"a", "c"}
    loader.use("ab")
    assert loader.loaded == ["a", "b", "c", "b"]
    assert alive() == {"a", "b"}


def test_many_voices_take_no_more_memory_than_a_few() -> None:
    loader = Loader(3)
    loader.use("abcdefghijklmnopqrstuvwxyz")
    assert alive() == {"x", "y", "z"}


def test_room_is_made_before_the_next_one_is_loaded() -> None:
    loader = Loader(1)
    loader.use("a")
    seen: list[set[str]] = []
    with loader.kept.lent("b", lambda: seen.append(alive()) or loader.load("b")):  # type: ignore[func-returns-value]
        pass
    assert seen == [set()]


def test_what_is_in_use_stays_even_where_there_is_no_room() -> None:
    loader = Loader(1)
    with loader.kept.lent("a", lambda: loader.load("a")) as model:
        loader.use("bc")
        loader.use("a")
        assert model.name == "a"
        assert loader.loaded == ["a", "b", "c"]
    assert alive() - {"a"} == set()


def test_threads_that_ask_for_one_wait_for_it_and_for_no_other() -> None:
    loader = Loader(4)
    slow, begun = threading.Event(), threading.Event()

    def load_slowly() -> Model:
        begun.set()
        assert slow.wait(30)
        return loader.load("slow")

    def use_slow() -> Model:
        with loader.kept.lent("slow", load_slowly) as model:
            return model

    with ThreadPoolExecutor(4) as hands:
        first = hands.submit(use_slow)
        assert begun.wait(30)
        others = [hands.submit(use_slow) for _ in range(2)]
        hands.submit(loader.use, "ab").result(30)
        assert loader.loaded == ["a", "b"]
        assert not any(each.done() for each in (first, *others))
        slow.set()
        assert len({id(each.result(30)) for each in (first, *others)}) == 1
    assert loader.loaded == ["a", "b", "slow"]


def test_what_could_not_be_loaded_is_tried_again() -> None:
    loader = Loader(1)

    def fail() -> Model:
        raise MachineFault("no.")

    for _ in range(2):
        with pytest.raises(MachineFault), loader.kept.lent("a", fail):
            pass
    loader.use("a")
    assert loader.loaded == ["a"]


def test_in_many_threads_never_two_of_one() -> None:
    loader = Loader(2)
    guard, used = threading.Lock(), Counter[tuple[str, int]]()

    def use(name: str) -> None:
        with loader.kept.lent(name, lambda: loader.load(name)) as model:
            with guard:
                used[name, id(model)] += 1
                assert len([1 for (each, _), users in used.items() if each == name and users]) == 1
            time.sleep(0)
            with guard:
                used[name, id(model)] -= 1

    with ThreadPoolExecutor(8) as hands:
        list(hands.map(use, "abcdefgh" * 50))
    assert len(alive()) <= 2


def test_a_studio_makes_one_thing_while_it_makes_another() -> None:
    studio = Studio(Weights({}, *[None] * 3), "none", 1)  # type: ignore[arg-type]
    slow, begun = threading.Event(), threading.Event()

    def make_slowly() -> str:
        begun.set()
        assert slow.wait(30)
        return "slow"

    with ThreadPoolExecutor(3) as hands:
        waiting = [hands.submit(studio.once, "slow", make_slowly) for _ in range(2)]
        assert begun.wait(30)
        assert hands.submit(studio.once, "quick", lambda: "quick").result(30) == "quick"
        assert studio.once("quick", lambda: "another") == "quick"
        slow.set()
        assert [each.result(30) for each in waiting] == ["slow", "slow"]
    assert studio.once("outer", lambda: studio.once("inner", lambda: "both")) == "both"
    studio.close()
