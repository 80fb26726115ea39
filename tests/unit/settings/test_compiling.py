"""A setting is in the model and in the step that uses it: the compiler brings them together."""

from __future__ import annotations

import subprocess
import sys
import typing
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from pipeline.event import compiled_poll, compiled_source
from pipeline.event.compiled_source import CatalogError, CompiledSource, Signature, load_catalog
from pipeline.event.fields import Lower  # noqa: TC001 - the compiler reads the annotations
from pipeline.event.proofs.body_token import BodyToken
from pipeline.event.proofs.json_web_token import JsonWebToken
from pipeline.event.proofs.public_key import PublicKeySignature
from pipeline.event.proofs.sns import SnsMessage
from pipeline.event.signature_details import DetailedSignature
from settings.source import filling
from settings.source.base import Model
from settings.source.compiler import write_compiled_catalog
from settings.source.filling import CompileError, compiled_as, way_of
from settings.source.json_web_token import JsonWebTokenAuthentication
from settings.source.model import HmacAuthentication, Source
from settings.source.proofs import BodyTokenAuthentication
from settings.source.public_key import PublicKeyAuthentication
from settings.source.sns import SnsAuthentication

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings.source.loader import LoadedSource

FOLDERS = {"name", "queue", "neighbours", "schema_modules", "default_schema_module"}


class Part(Model):
    header: str = "X-Foo"


class MadeUp(Model):
    foo: int = 3
    part: Part | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    foo: int
    header: Annotated[Lower | None, "part.header"]
    default: Annotated[Lower, "part.header"] = "none"


def test_a_new_setting_is_in_the_model_and_in_the_step_and_nowhere_else() -> None:
    assert compiled_as(Step, MadeUp()) == Step(foo=3, header=None)
    assert compiled_as(Step, MadeUp(foo=5, part=Part())) == Step(
        foo=5, header="x-foo", default="x-foo"
    )


def test_a_step_that_declares_what_the_model_does_not_have_is_named() -> None:
    @dataclass
    class Typo:
        fo: int

    @dataclass
    class NoDefault:
        header: Annotated[str, "part.header"]

    with pytest.raises(CompileError, match=r"^Typo\.fo: MadeUp has no setting fo$"):
        compiled_as(Typo, MadeUp())
    with pytest.raises(CompileError, match=r"^NoDefault\.header: needs a value"):
        compiled_as(NoDefault, MadeUp())


def test_every_setting_that_a_step_declares_is_in_the_model() -> None:
    """Also where a default would hide that it is in no form of the model."""
    missing = [
        f"{kind.__name__}.{name}"
        for kind, models in _declarations(CompiledSource, {Source})
        for name, way in _ways(kind)
        if not _followed(models, way) and not (kind is CompiledSource and name in FOLDERS)
    ]
    wider: dict[type, type[BaseModel]] = {
        DetailedSignature: HmacAuthentication,
        PublicKeySignature: PublicKeyAuthentication,
        JsonWebToken: JsonWebTokenAuthentication,
        SnsMessage: SnsAuthentication,
        BodyToken: BodyTokenAuthentication,
    }
    missing += [
        f"{kind.__name__}.{name}"
        for kind, model in wider.items()
        for name, way in _ways(kind)
        if not _followed({model}, way)
    ]
    # The last three are an HMAC's alone.
    of_hmacs = [f"PublicKeySignature.{name}" for name in ("key", "each", "sets")]
    assert missing == ["FeedSettings.name", *of_hmacs]


def test_no_declaration_repeats_a_default_of_the_model() -> None:
    """A default is for a part that a source does not have: then its setting is below that part."""
    for kind, models in _declarations(CompiledSource, {Source}):
        for field in fields(kind):
            if field.default is MISSING or field.name.startswith("_"):
                continue
            way = way_of(field.name, _hints(kind)[field.name])
            below = "." in way
            some_forms = any(way not in model.model_fields for model in models)
            assert below or some_forms, f"{kind.__name__}.{field.name}"


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns=filling._NAMES, include_extras=True)


def _ways(kind: type) -> Iterator[tuple[str, str]]:
    for name, hint in _hints(kind).items():
        if not name.startswith("_"):
            yield name, way_of(name, hint)


def _declarations(
    kind: type, models: set[type[BaseModel]]
) -> Iterator[tuple[type, set[type[BaseModel]]]]:
    """Every dataclass, with the forms of the model that it may be filled from."""
    yield kind, models
    for name, hint in _hints(kind).items():
        for part in _classes(hint):
            if is_dataclass(part):
                found = _followed(models, way_of(name, hint))
                below = {one for one in found if issubclass(one, BaseModel)}
                yield from _declarations(part, below)


def _followed(models: set[type[BaseModel]], way: str) -> set[type]:
    kinds: set[type] = set(models)
    for part in way.split("."):
        kinds = {found for one in kinds for found in _part_of(one, part)}
    return kinds


def _part_of(kind: type, part: str) -> set[type]:
    if issubclass(kind, BaseModel) and part in kind.model_fields:
        return _classes(kind.model_fields[part].annotation)
    getter = getattr(kind, part, None)
    if isinstance(getter, property) and getter.fget:
        return _classes(get_type_hints(getter.fget)["return"])
    return set()


def _classes(hint: Any) -> set[type]:
    if get_origin(hint) is Annotated:
        return _classes(get_args(hint)[0])
    if get_origin(hint) in {Union, UnionType, dict, tuple, typing.get_origin(typing.Mapping)}:
        return {one for argument in get_args(hint) for one in _classes(argument)}
    if get_origin(hint) is typing.Literal:
        return {type(value) for value in get_args(hint)}
    return {hint} if isinstance(hint, type) else set()


def test_the_same_sources_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
write_compiled_catalog(load_sources(["github", "slack"]), Path(sys.argv[1]))
"""
    texts = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=True)
        texts.append((folder / "compiled_catalog" / "__init__.py").read_bytes())
    assert texts[0] == texts[1]
    assert b"frozenset((" in texts[0]


def test_what_was_written_is_what_was_compiled(
    sources: dict[str, LoadedSource], catalog: compiled_source.Catalog
) -> None:
    for name, loaded in sources.items():
        compiled, settings = catalog.sources[name], loaded.settings
        assert compiled.name == name
        assert compiled.deduplication_seconds == settings.deduplication_hours * 3600
        assert compiled.kept_headers == {header.lower() for header in settings.headers.keep}
        assert (compiled.signature is None) == (settings.hmac is None)
        assert (compiled.poll is None) == (settings.poll is None)
        assert compiled.token_header == (settings.token.in_header.lower() if settings.token else "")
        assert (compiled.proof_of_body is None) == (settings.proof_of_body is None)
        assert compiled.mozdef.tags == (settings.mozdef.tags or (name,))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("tolerance_seconds=", "tolerance_second=", "unexpected keyword argument"),
        ("'tolerance_seconds'", "'of_old'", "other fields .of_old, tolerance_seconds."),
        ("separator=None, ", "", "missing 1 required keyword-only argument: 'separator'"),
        ("import Signature", "import Signatur", "cannot import name 'Signatur'"),
        ("SOURCES =", "SOURCE =", "has no attribute 'SOURCES'"),
    ],
)
def test_a_catalogue_of_another_version_does_not_load(
    sources: dict[str, LoadedSource],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    message: str,
) -> None:
    write_compiled_catalog({"github": sources["github"]}, tmp_path, "of_another_version")
    path = tmp_path / "of_another_version" / "__init__.py"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "of_another_version", raising=False)
    with pytest.raises(CatalogError, match=message):
        load_catalog("of_another_version")


def test_a_catalogue_without_polled_sources_loads_nothing_of_polling(tmp_path: Path) -> None:
    """Each dataclass costs a cold start about a millisecond."""
    code = """
import sys
from pathlib import Path
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
write_compiled_catalog(load_sources(["github"]), Path(sys.argv[1]))
"""
    environment = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    load = """
import sys
from pipeline.event.compiled_source import load_catalog
load_catalog()
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", load], env=environment, check=True, capture_output=True, text=True
    )
    loaded = done.stdout.split()
    assert Signature.__module__ in loaded
    assert compiled_poll.__name__ not in loaded
