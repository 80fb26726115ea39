"""Which changes are made to a module, and that each is made alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.mutations import mutants_of
from tests.mutants.plan import MutantError, NamedMutant, Plan, Room

ROOT = Path(__file__).parents[3]
PLAN = Plan.read(ROOT, ROOT / "tests/mutants/mutants.toml")


def changes(source: str) -> list[str]:
    """What is changed into what."""
    return [mutant.id.partition(": ")[2] for mutant in mutants_of("m.py", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b < c", ["b < c -> b <= c"]),
        ("a = b is None", ["b is None -> b is not None"]),
        ("a = 1 < b < c", ["1 < b < c -> 1 <= b < c", "1 < b < c -> 1 < b <= c", "1 -> 2"]),
        ("a = b + c", ["b + c -> b - c"]),
        ("a = b and not c", ["b and (not c) -> b or not c", "not c -> c"]),
        ("a = True", ["True -> False"]),
        ("a = 'key'", ["'key' -> 'Xkey'"]),
        ("a = f(b, strict=c)", ["f(b, strict=c) -> f(b)"]),
        ("a = min(b)", ["min(b) -> max(b)"]),
        ("a = b.startswith(c)", ["b.startswith(c) -> b.endswith(c)"]),
        ("a = [b for b in c if b]", ["for b in c if b -> for b in c"]),
        ("a = b if c else d", [f"b if c else d -> b if {one} else d" for one in (False, True)]),
        ("f(b)", ["f(b) -> pass"]),
        ("a.b = c", ["a.b = c -> pass"]),
        ("a += b", ["a += b -> a -= b", "a += b -> pass"]),
        ("def f():\n    return a", ["return a -> return None"]),
        ("def f():\n    raise a", ["raise a -> pass"]),
        ("if a:\n    b", ["if a -> if False", "if a -> if True"]),
    ],
)  # fmt: skip
def test_each_kind_of_change(source: str, expected: list[str]) -> None:
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Prose."""',
        "import a",
        "if TYPE_CHECKING:\n    a = 1",
        "a: Literal[1]",
        "@dataclass(frozen=True)\nclass A: ...",
        "def f(a: int = b) -> Literal[2]:\n    'Prose.'",
        "a = 'a message of three words'",
        "a = f'{b}: is empty'",
    ],
)
def test_prose_and_declarations_are_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_change_is_made_alone_and_in_its_place() -> None:
    source = "def f(a):\n    if a < 1:\n        return 1\n    return a < 1\n"
    made = {mutant.id: mutant for mutant in mutants_of("m.py", source)}
    first, second = made["m.py:f: a < 1 -> a <= 1"], made["m.py:f: a < 1 -> a <= 1 (2)"]
    assert ast.unparse(first.make()) == source.replace("if a < 1", "if a <= 1").strip()  # type: ignore[arg-type]
    assert ast.unparse(second.make()) == source.replace("return a < 1", "return a <= 1").strip()  # type: ignore[arg-type]
    assert (first.lines, second.lines) == (range(2, 3), range(4, 5))


def test_what_keeps_its_results_is_noticed_by_any_test() -> None:
    (mutant,) = mutants_of("m.py", "@lru_cache\ndef f(a, b):\n    return a")
    assert not mutant.lines


def test_a_change_elsewhere_leaves_the_rest_of_the_sample(tmp_path: Path) -> None:
    room, plan = Room("r", ("a.py",), ()), Plan(tmp_path, {}, [], {})
    lines = [f"a{number} = b < {number}" for number in range(50)]
    (tmp_path / "a.py").write_text("\n".join(lines))
    before = [one.id for one in plan.sample(room, 20, 1)]
    assert before != [one.id for one in plan.sample(room, 20, 2)]
    (tmp_path / "a.py").write_text("\n".join(["c = d > e", *lines]))
    after = [one.id for one in plan.sample(room, 20, 1)]
    assert len(set(before) & set(after)) >= 19


@pytest.mark.parametrize("named", PLAN.named, ids=lambda one: str(one.name))
def test_each_named_mutant_is_one_of_the_code_as_it_is(named: NamedMutant) -> None:
    source = (ROOT / named.file).read_text()
    changed = named.mutant(ROOT).make()
    assert changed != source
    compile(changed, named.file, "exec", dont_inherit=True)
    assert named.file in PLAN.room(named.room).files(ROOT)


@pytest.mark.parametrize("room", PLAN.rooms.values(), ids=PLAN.rooms)
def test_each_equivalent_mutant_is_one_of_the_code_as_it_is(room: Room) -> None:
    assert PLAN.stale(room, PLAN.all_of(room)) == []


@pytest.mark.parametrize("text", ["absent", "a"])
def test_a_named_mutant_that_does_not_apply_once_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.py").write_text("a = a\n")
    with pytest.raises(MutantError, match="and once is wanted"):
        NamedMutant("n", "r", "m.py", text, "b").mutant(tmp_path)
