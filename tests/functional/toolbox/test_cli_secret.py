"""`mozdef-ef secret` against the emulator's parameter store, locally and as a stack."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local import endpoints
from local.emulator import Emulator
from local.endpoints import Endpoints
from local.provision import create_secrets
from local.state import StateDirectory
from pipeline.runtime.secret_store import SecretStore
from settings.source.loader import available_sources, load_source
from tests.support.command import Done, run_here
from toolbox.cli import secret as secret_command
from toolbox.cli import secret_value
from toolbox.cli.secret_parameter import Parameter, ParameterError
from toolbox.cli.secret_times import in_words, spans_of, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOD = "a-good-long-secret-value"
OTHER = "another-good-long-secret"
STACK = "P-ingest-dev"
KEY = "arn:aws:kms:us-west-2:000000000000:key/00000000-0000-4000-8000-000000000000"
SOURCES = ("github", "generic", "zoom", "standard-webhooks", "duo-admin", "okta-system-log")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region="us-west-2") as running:
        yield running


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Callable[..., Done]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    for name, value in emulator.credentials.environment().items():
        monkeypatch.setenv(name, value)
    return run_here


@pytest.fixture(scope="module")
def names(emulator: Emulator) -> dict[str, str]:
    """A stack with the outputs of ours, and the names of its sources' parameters."""
    folders = available_sources()
    described = {
        name: {"parameter": f"/P/{name}/dev/{load_source(folders[name]).settings.parameter}"}
        for name in SOURCES
    }
    outputs: dict[str, Any] = {
        "StreamName": "stack-stream",
        "ArchiveBucketName": "a",
        "DedupeTableName": "t",
        "DeadLetterQueueUrl": "q",
        "Sources": json.dumps(described),
        "KeyArn": KEY,
    }
    stream = {"Name": "stack-stream", "ShardCount": 1, "RetentionPeriodHours": 48}
    template = {
        "Resources": {"S": {"Type": "AWS::Kinesis::Stream", "Properties": stream}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1}
    )
    return {name: one["parameter"] for name, one in described.items()}


@pytest.fixture
def ssm(emulator: Emulator, names: dict[str, str]) -> Any:
    client = emulator.client("ssm")
    client.delete_parameters(Names=list(names.values()))
    return client


@pytest.fixture
def running(emulator: Emulator, names: dict[str, str], ssm: Any, tmp_path: Path) -> Iterator[Path]:
    """The state directory of a local pipeline that seems to run."""
    secrets = create_secrets({name: {"parameter": one} for name, one in names.items()}, ssm)
    state = tmp_path / "state"
    with StateDirectory(state):
        Endpoints(
            "http://127.0.0.1:1", emulator.endpoint_url, "us-west-2", "stack-stream", {}, "q", "a",
            "t", secrets, emulator.credentials, names,
        ).write(state)  # fmt: skip
        yield state


def value_of(ssm: Any, name: str) -> str:
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def silent(done: Done, *values: str) -> bool:
    return not any(value in done.out + done.err for value in values)


def test_the_first_value(run: Callable[..., Done], ssm: Any, names: dict[str, str]) -> None:
    done = run("secret", "set", "github", "--stack", STACK, "--stdin", stdin=f"{GOOD}\n")
    assert done.status == 0, done.err
    assert silent(done, GOOD)
    assert value_of(ssm, names["github"]) == GOOD
    (described,) = ssm.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [names["github"]]}]
    )["Parameters"]
    assert described["Type"] == "SecureString"
    assert SecretStore(ssm, "P", "dev").secrets("github", "signing_secret") == (GOOD.encode(),)


def test_a_value_that_is_there_is_left_alone(
    run: Callable[..., Done], ssm: Any, names: dict[str, str]
) -> None:
    set_it = ("secret", "set", "github", "--stack", STACK, "--stdin")
    assert run(*set_it, stdin=GOOD).status == 0
    done = run(*set_it, stdin=OTHER)
    assert done.status == 1
    assert "rotate" in done.err
    assert value_of(ssm, names["github"]) == GOOD
    done = run(*set_it, "--replace", stdin=OTHER)
    assert done.status == 0
    assert silent(done, GOOD, OTHER)
    assert value_of(ssm, names["github"]) == OTHER


def test_two_who_set_at_once_do_not_overwrite_each_other(ssm: Any, names: dict[str, str]) -> None:
    parameter = Parameter(ssm, names["github"])
    assert parameter.read() is None
    assert parameter.create(GOOD)
    assert not parameter.create(OTHER)
    assert value_of(ssm, names["github"]) == GOOD


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("github", "", "is empty"),
        ("github", "  \n", "is empty"),
        ("github", f"{GOOD}\n{OTHER}", "line break"),
        ("github", f"{GOOD}\u2028{OTHER}", "line break"),
        ("github", f" {GOOD}", "white space"),
        ("github", f"{GOOD}\x1b[2J", "control character"),
        ("github", GOOD * 100, "more than 2,000 bytes"),
        ("generic", f"{GOOD}é", "takes ASCII"),
        ("standard-webhooks", "whsec_not base64!", "not base64"),
        ("standard-webhooks", "whsec_", "is empty"),
        ("duo-admin", GOOD, "a pair: integration_key:secret_key"),
        ("duo-admin", f"{GOOD}:", "a pair"),
        ("duo-admin", f":{GOOD}", "a pair"),
    ],
)
def test_what_cannot_be_the_secret(
    run: Callable[..., Done], ssm: Any, source: str, value: str, said: str
) -> None:
    done = run("secret", "set", source, "--stack", STACK, "--stdin", stdin=value)
    assert done.status == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert silent(done, GOOD, OTHER)
    assert ssm.describe_parameters()["Parameters"] == []


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("standard-webhooks", "whsec_" + base64.b64encode(b"0123456789abcdef").decode()),
        ("duo-admin", "DIEXAMPLE0000000000:secret:with:colons"),
        ("okta-system-log", GOOD),
        ("zoom", "ünïcode-secret-value"),
    ],
)
def test_what_can(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], source: str, value: str
) -> None:
    done = run("secret", "set", source, "--stack", STACK, "--stdin", stdin=f"{value}\r\n")
    assert done.status == 0, done.err
    assert value_of(ssm, names[source]) == value


def test_a_short_one_is_written_with_a_warning(
    run: Callable[..., Done], ssm: Any, names: dict[str, str]
) -> None:
    done = run("secret", "set", "github", "--stack", STACK, "--stdin", stdin="x9")
    assert done.status == 0
    assert "fewer than 16 characters" in done.err
    assert value_of(ssm, names["github"]) == "x9"


@pytest.mark.parametrize(("source", "prefix"), [("github", ""), ("standard-webhooks", "whsec_")])
def test_a_value_made_here(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], source: str, prefix: str
) -> None:
    done = run("secret", "set", source, "--stack", STACK, "--generate")
    assert done.status == 0
    made = value_of(ssm, names[source])
    assert made.startswith(prefix)
    assert len(made) >= 40
    assert silent(done, made)
    assert f"aws ssm get-parameter --with-decryption --name {names[source]}" in done.out
    done = run("secret", "rotate", source, "--stack", STACK, "--generate", "--print")
    assert done.status == 0, done.err
    newer, older = value_of(ssm, names[source]).splitlines()
    assert older == made
    assert done.out.count(newer) == 1
    assert silent(done, older)


def test_an_api_credential_is_not_made_here(run: Callable[..., Done], ssm: Any) -> None:
    done = run("secret", "set", "duo-admin", "--stack", STACK, "--generate")
    assert done.status == 2
    assert "a credential that the sender makes" in done.err


def test_without_a_terminal_nothing_is_asked(run: Callable[..., Done], ssm: Any) -> None:
    done = run("secret", "set", "github", "--stack", STACK)
    assert done.status == 2
    assert "no terminal" in done.err


def test_the_prompt_shows_nothing(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def prompt(text: str, **options: Any) -> str:
        asked.append((text, options))
        return GOOD

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(secret_value, "_at_terminal", lambda: True)
    done = run("secret", "set", "github", "--stack", STACK)
    assert done.status == 0, done.err
    assert silent(done, GOOD)
    assert value_of(ssm, names["github"]) == GOOD
    options = {"hide_input": True, "confirmation_prompt": True}
    assert asked == [("signing secret of github", options)]


def test_rotation_keeps_the_former_values(
    run: Callable[..., Done], ssm: Any, names: dict[str, str]
) -> None:
    rotate = ("secret", "rotate", "github", "--stack", STACK, "--stdin")
    done = run(*rotate, stdin="value-number-one-1")
    assert done.status == 2
    assert "has no value yet" in done.err
    run("secret", "set", "github", "--stack", STACK, "--stdin", stdin="value-number-one-1")
    done = run(*rotate, stdin="value-number-two-2")
    assert done.status == 0
    assert value_of(ssm, names["github"]) == "value-number-two-2\nvalue-number-one-1"
    # 300 s of caches, a week of retries, two days on the stream.
    assert "up to 9 d 5 min" in done.out
    assert "retire github" in done.out
    assert run(*rotate, stdin="value-number-two-2").status == 2
    assert run(*rotate, stdin="value-number-one-1").status == 2
    done = run(*rotate, stdin="value-number-three")
    three = ["value-number-three", "value-number-two-2", "value-number-one-1"]
    assert value_of(ssm, names["github"]).splitlines() == three
    assert "3 values are accepted" in done.out
    assert silent(done, "value-number")


def test_of_three_values_one_is_named_to_go(
    run: Callable[..., Done], ssm: Any, names: dict[str, str]
) -> None:
    three = ["value-number-three", "value-number-two-2", "value-number-one-1"]
    ssm.put_parameter(Name=names["github"], Value="\n".join(three), Type="SecureString")
    retire = ("secret", "retire", "github", "--stack", STACK, "--now")
    for unclear in ((), ("--value", "4")):
        done = run(*retire, *unclear)
        assert done.status == 2
        assert "has 3 values; say with --value which one goes" in done.err
    done = run(*retire, "--value", "2")
    assert done.status == 0, done.err
    assert value_of(ssm, names["github"]).splitlines() == [three[0], three[2]]
    assert silent(done, "value-number")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([f"value-number-{n}" for n in range(10)], "has 10 values, and 10 can count"),
        (["v" * 2000, "w" * 2000], "a parameter holds 4,096"),
    ],
)
def test_a_value_too_many_is_not_written(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], held: list[str], said: str
) -> None:
    ssm.put_parameter(Name=names["github"], Value="\n".join(held), Type="SecureString")
    new = "a-new-value-of-some-length" * 5
    done = run("secret", "rotate", "github", "--stack", STACK, "--stdin", stdin=new)
    assert done.status == 2
    assert said in done.err
    assert value_of(ssm, names["github"]).splitlines() == held
    assert silent(done, new, *held)


def test_retirement_waits_for_its_time(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    retire = ("secret", "retire", "github", "--stack", STACK)
    run("secret", "set", "github", "--stack", STACK, "--stdin", stdin=OTHER)
    done = run(*retire)
    assert done.status == 1
    assert "no previous value" in done.err
    run("secret", "rotate", "github", "--stack", STACK, "--stdin", stdin=GOOD)
    done = run(*retire)
    assert done.status == 1
    assert "too early by 9 d" in done.err
    assert value_of(ssm, names["github"]) == f"{GOOD}\n{OTHER}"

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=10)

    monkeypatch.setattr(secret_command, "datetime", Later)
    done = run(*retire)
    assert done.status == 0, done.err
    assert value_of(ssm, names["github"]) == GOOD
    assert silent(done, GOOD, OTHER)


def test_a_secret_that_is_known_goes_at_once(
    run: Callable[..., Done], ssm: Any, names: dict[str, str]
) -> None:
    run("secret", "set", "generic", "--stack", STACK, "--stdin", stdin=OTHER)
    run("secret", "rotate", "generic", "--stack", STACK, "--stdin", stdin=GOOD)
    done = run("secret", "retire", "generic", "--stack", STACK, "--now")
    assert done.status == 0
    assert "another 10 min" in done.out
    assert value_of(ssm, names["generic"]) == GOOD


def test_the_local_pipeline(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], running: Path
) -> None:
    """Its parameters have values from the start; `send` signs with the new one from then on."""
    before = value_of(ssm, names["github"])
    assert run("secret", "set", "github", "--state", running, "--stdin", stdin=GOOD).status == 1
    done = run("secret", "rotate", "github", "--state", running, "--stdin", stdin=GOOD)
    assert done.status == 0, done.err
    assert value_of(ssm, names["github"]) == f"{GOOD}\n{before}"
    known = endpoints.read(running)
    assert known.parameters["github"] == {"signing_secret": f"{GOOD}\n{before}"}
    assert known.parameters["zoom"]["signing_secret"] == value_of(ssm, names["zoom"])
    done = run("secret", "retire", "github", "--state", running / "endpoints.json", "--now")
    assert done.status == 0, done.err
    assert endpoints.read(running).parameters["github"] == {"signing_secret": GOOD}
    assert (running / "endpoints.json").stat().st_mode & 0o077 == 0


def test_a_source_that_the_deployment_lacks(run: Callable[..., Done], ssm: Any) -> None:
    done = run("secret", "set", "gitlab", "--stack", STACK, "--stdin", stdin=GOOD)
    assert done.status == 1
    assert "gitlab: no such source of stack P-ingest-dev" in done.err
    assert run("secret", "set", "none", "--stack", STACK, "--stdin", stdin=GOOD).status == 1
    assert run("secret", "set", "github", "--stack", "other", "--stdin", stdin=GOOD).status == 2


def test_what_the_store_says_of_a_value_is_not_repeated(
    run: Callable[..., Done], ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ValidationException of SSM quotes the value that it refuses."""
    done = run("secret", "set", "github", "--stack", STACK, "--stdin", stdin=f"{GOOD}")
    assert done.status == 0

    class Refusing:
        def get_parameter(self, **_: Any) -> Any:
            return ssm.get_parameter(**_)

        def describe_parameters(self, **_: Any) -> Any:
            return ssm.describe_parameters(**_)

        def put_parameter(self, **request: Any) -> Any:
            raise ssm.exceptions.ClientError(
                {"Error": {"Code": "ValidationException", "Message": request["Value"]}}, "Put"
            )

    held = Parameter(Refusing(), "/P/github/dev/signing_secret").read()
    assert held is not None
    assert GOOD not in repr(held)
    with pytest.raises(ParameterError, match=r"cannot be written \(ValidationException\)") as error:
        Parameter(Refusing(), "/P/github/dev/signing_secret").write([OTHER], held)
    assert OTHER not in str(error.value)
    assert error.value.__cause__ is None


def test_the_key_of_a_parameter_stays(ssm: Any, names: dict[str, str]) -> None:
    requests: list[dict[str, Any]] = []

    class Watching:
        def get_parameter(self, **_: Any) -> Any:
            return {"Parameter": {"Value": OTHER, "LastModifiedDate": datetime.now(UTC)}}

        def describe_parameters(self, **_: Any) -> Any:
            return {"Parameters": [{"Name": names["github"], "KeyId": "alias/ours"}]}

        def put_parameter(self, **request: Any) -> Any:
            requests.append(request)

    parameter = Parameter(Watching(), names["github"])
    held = parameter.read()
    assert held is not None
    parameter.write([GOOD, OTHER], held)
    assert requests[0]["KeyId"] == "alias/ours"


@pytest.mark.parametrize(
    ("source", "hours"),
    [
        # caches 5 min; the retries that deduplication_hours covers, or a signature's own age;
        # then the stream where the processor checks.
        ("github", 168 + 48),
        ("generic", 24),
        ("stripe", 48),
        ("okta-system-log", 0),
    ],
)
def test_how_long_the_former_value_is_needed(source: str, hours: int) -> None:
    seconds = total(spans_of(load_source(available_sources()[source]), 48))
    assert 0 < seconds - hours * 3600 <= 1_200


def test_times_in_words() -> None:
    assert [in_words(one) for one in (-5, 59, 300, 7_200, 90_000)] == [
        "0 min",
        "0 min",
        "5 min",
        "2 h",
        "1 d 1 h",
    ]


def test_the_first_value_is_encrypted_with_the_key_of_the_stack(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator takes a key and does not tell it again, so the request is looked at."""
    requests: list[dict[str, Any]] = []
    create = Parameter.create

    def watched(self: Parameter, value: str, key_id: str = "") -> bool:
        requests.append({"name": self.name, "key": key_id})
        return create(self, value, key_id)

    monkeypatch.setattr(Parameter, "create", watched)
    assert run("secret", "set", "github", "--stack", STACK, "--stdin", stdin=GOOD).status == 0
    assert requests == [{"name": names["github"], "key": KEY}]
    assert value_of(ssm, names["github"]) == GOOD


def write_asker(folder: Path) -> Path:
    """A source with a handshake that has a token of its own, and one that learns its secret."""
    (folder / "github").mkdir(parents=True)
    (folder / "github" / "source.yaml").write_text(
        "version: 2\ntitle: t\ningest: receiver\nauthentication: {type: hmac, header: X-Sig}\n"
        "headers: {keep: [X-Sig]}\nhandshake:\n"
        "- {when: {method: GET}, proof: token, token: {query: t}, answer: {text: ok}}\n"
        "- {when: {header: {X-S: true}}, proof: none, learn: {header: X-S}}\n"
    )
    return folder


def test_a_handshakes_token_has_a_parameter_of_its_own(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], tmp_path: Path
) -> None:
    where = ("--stack", STACK, "--sources", str(write_asker(tmp_path / "sources")))
    done = run("secret", "set", "github", "--parameter", "auth_token", "--generate", *where)
    assert done.status == 0, done.err
    name = names["github"].replace("signing_secret", "auth_token")
    assert len(value_of(ssm, name)) > 16
    again = run("secret", "rotate", "github", "--parameter", "auth_token", "--generate", *where)
    assert "secret retire github --parameter auth_token" in again.out
    ssm.delete_parameter(Name=name)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        value_of(ssm, names["github"])
    done = run("secret", "set", "github", "--parameter", "other", "--generate", *where)
    assert "has no parameter other; it has signing_secret, auth_token" in done.err


def test_a_window_is_opened_and_closed(
    run: Callable[..., Done], ssm: Any, names: dict[str, str], tmp_path: Path
) -> None:
    where = ("--stack", STACK, "--sources", str(write_asker(tmp_path / "sources")))
    name = names["github"].replace("signing_secret", "learn_until")
    before = datetime.now(UTC).timestamp()
    assert run("secret", "learn", "github", "--for", "5m", *where).status == 0
    assert 299 <= int(value_of(ssm, name)) - before <= 400
    assert run("secret", "learn", "github", "--stop", *where).status == 0
    assert int(value_of(ssm, name)) <= datetime.now(UTC).timestamp()
    ssm.delete_parameter(Name=name)
    for span in ("61m", "2h", "0m", "soon", "-5m"):
        assert run("secret", "learn", "github", "--for", span, *where).status == 2
    assert "no rule of its handshake" in run("secret", "learn", "generic", "--stack", STACK).err
