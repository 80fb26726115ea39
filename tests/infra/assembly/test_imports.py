"""What a module imports, and which files follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.assembly.imports import imports, reachable


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def reached(folder: Path, *names: str, never: tuple[str, ...] = ()) -> set[str]:
    return {str(path) for path in reachable(folder, names, never)}


def test_imports_are_those_of_running_code(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b\nfrom c import d\n"
        "if TYPE_CHECKING:\n    from annotations_alone import e\nelse:\n    import f\n"
        "if typing.TYPE_CHECKING:\n    import annotations_again\n"
        "def later():\n    import g\n"
        "import_module('h.i')\nimport_module(name)\n"
    )
    assert list(imports(path)) == ["a.b", "c", "c.d", "f", "g", "h.i"]


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import p.a", "p/a.py"),
        ("from p import a", "p/a.py"),
        ("from . import a", "p/a.py"),
        ("from .a import thing", "p/a.py"),
        ("from .s import a", "p/s/a.py"),
        ("from .s.a import thing", "p/s/a.py"),
        ("from .fast import *", "p/fast.cpython-313-aarch64-linux-gnu.so"),
        ("from p._abi import x", "p/_abi.abi3.so"),
        ("try:\n    import p.a\nexcept ImportError:\n    pass", "p/a.py"),
        ("try:\n    pass\nexcept ImportError:\n    import p.a", "p/a.py"),
        ("match 1:\n    case 1:\n        import p.a", "p/a.py"),
        ("class A:\n    import p.a", "p/a.py"),
        ("def later():\n    from .a import thing", "p/a.py"),
        ("async def later():\n    from p import a", "p/a.py"),
        ("x = importlib = import_module('p.a')", "p/a.py"),
        ("import q", "q.py"),
        ("if WINDOWS:\n    import q", "q.py"),
    ],
)
def test_each_way_to_import_leads_to_its_file(tmp_path: Path, line: str, file: str) -> None:
    others = dict.fromkeys(("p/a.py", "p/s/__init__.py", "p/s/a.py", "q.py", "unasked.py"), "")
    write(tmp_path, {**others, file: "", "p/__init__.py": line, "p/data.json": "{}"})
    assert reached(tmp_path, "p") - {"p/s/__init__.py"} == {"p/__init__.py", file}


def test_relative_names_are_those_of_the_modules_own_package(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/a.py": "",
            "p/s/__init__.py": "",
            "p/s/a.py": "",
            "p/s/b.py": "from ..a import x",
        },
    )
    assert reached(tmp_path, "p.s.b") == {"p/__init__.py", "p/a.py", "p/s/__init__.py", "p/s/b.py"}


def test_what_a_function_imports_of_another_package_is_for_others(tmp_path: Path) -> None:
    write(tmp_path, {"p.py": "def trace():\n    import q\n    f = lambda: import_module('q')"})
    write(tmp_path, {"q.py": ""})
    assert reached(tmp_path, "p") == {"p.py"}
    assert reached(tmp_path, "p", "q") == {"p.py", "q.py"}


def test_what_is_never_called_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"p/__init__.py": "def f():\n    from p.s import a", "p/s/__init__.py": ""})
    write(tmp_path, {"p/s/a.py": "import p.t", "p/t.py": ""})
    assert reached(tmp_path, "p") == {"p/__init__.py", "p/s/__init__.py", "p/s/a.py", "p/t.py"}
    assert reached(tmp_path, "p", never=("p.s",)) == {"p/__init__.py"}


def test_modules_that_import_each_other_come_to_an_end(tmp_path: Path) -> None:
    write(tmp_path, {"p.py": "import q", "q.py": "import p"})
    assert reached(tmp_path, "p", "missing.module") == {"p.py", "q.py"}
