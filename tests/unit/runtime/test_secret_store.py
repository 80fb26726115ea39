"""Secrets: how long a value serves, and what is asked of SSM meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.event.secrets import SecretError, SecretUnavailableError
from pipeline.runtime.secret_store import (
    FAILURE_SECONDS,
    MAX_AGE_SECONDS,
    MOST_SECRETS,
    REFRESH_AFTER_SECONDS,
    SecretStore,
)
from tests.support.clock import FakeClock
from tests.support.fakes import FakeSsm, client_error

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

NAME = "/P/github/dev/signing_secret"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ssm() -> FakeSsm:
    return FakeSsm({NAME: "current\nretired"})


@pytest.fixture
def store(ssm: FakeSsm, clock: FakeClock) -> SecretStore:
    return SecretStore(ssm, "P", "dev", clock)


def read(store: SecretStore, *, refresh: bool = False) -> tuple[bytes, ...]:
    return store.secrets("github", "signing_secret", refresh=refresh)


def test_a_retired_secret_is_not_valid_for_ever(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    assert read(store) == (b"current", b"retired")
    ssm.parameters[NAME] = "next\ncurrent"
    clock.advance(300 - 1)
    assert read(store) == (b"current", b"retired"), "a value serves for five minutes"
    clock.advance(1)
    assert read(store) == (b"next", b"current"), "nobody had to send a wrong one first"
    assert ssm.calls == 2


def test_the_age_of_a_value_begins_anew_when_it_is_read_again(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    read(store)
    clock.advance(MAX_AGE_SECONDS)
    read(store)
    clock.advance(MAX_AGE_SECONDS - 1)
    read(store)
    assert ssm.calls == 2


def test_what_did_not_fit_is_looked_for_anew_after_fifteen_seconds(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    read(store)
    ssm.parameters[NAME] = "next\ncurrent"
    clock.advance(15 - 0.5)
    assert read(store, refresh=True) == (b"current", b"retired")
    clock.advance(0.5)
    assert read(store, refresh=True) == (b"next", b"current")
    assert (ssm.calls, REFRESH_AFTER_SECONDS) == (2, 15)


def test_while_ssm_is_down_it_is_asked_once_a_second_however_many_events_come(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    ssm.broken = client_error("InternalServerError", status=500)
    for _ in range(100):
        with pytest.raises(SecretError, match=NAME):
            read(store)
    assert ssm.calls == 1
    clock.advance(FAILURE_SECONDS / 2)
    with pytest.raises(SecretError):
        read(store)
    assert ssm.calls == 1
    clock.advance(FAILURE_SECONDS / 2)
    ssm.broken = None
    assert read(store) == (b"current", b"retired")
    assert ssm.calls == 2


def test_a_failure_is_of_one_parameter(store: SecretStore, ssm: FakeSsm) -> None:
    with pytest.raises(SecretError, match="/P/gitlab/dev/auth_token: cannot be read"):
        store.secrets("gitlab", "auth_token")
    assert read(store) == (b"current", b"retired")


def test_an_old_value_does_not_outlive_its_time_because_ssm_is_down(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    read(store)
    ssm.broken = client_error("ThrottlingException")
    clock.advance(MAX_AGE_SECONDS)
    with pytest.raises(SecretError, match="ThrottlingException"):
        read(store)


def test_each_line_counts_and_white_space_does_not(store: SecretStore, ssm: FakeSsm) -> None:
    ssm.parameters[NAME] = "\n  current \r\n\n\tprevious\noldest\n"
    assert read(store) == (b"current", b"previous", b"oldest")


def test_ten_lines_count_and_eleven_are_an_error_that_names_the_parameter(
    store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    """A line that was dropped in silence would refuse its sender."""
    lines = [f"secret-{number}" for number in range(MOST_SECRETS)]
    ssm.parameters[NAME] = "\n".join(lines)
    assert read(store) == tuple(line.encode() for line in lines)
    assert MOST_SECRETS == 10
    ssm.parameters[NAME] = "\n".join([*lines, "secret-10"])
    clock.advance(MAX_AGE_SECONDS)
    with pytest.raises(SecretUnavailableError, match=f"{NAME}: has 11 values, and 10") as error:
        read(store)
    assert "secret-" not in str(error.value)


def test_an_empty_parameter_is_no_secret(store: SecretStore, ssm: FakeSsm) -> None:
    ssm.parameters[NAME] = " \n\t\n"
    with pytest.raises(SecretError, match=f"{NAME}: is empty"):
        read(store)


def test_a_source_gives_its_secrets_as_they_are_known_and_then_as_they_are_now(
    catalog: Catalog, store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    read(store)
    ssm.parameters[NAME] = "next\ncurrent"
    clock.advance(REFRESH_AFTER_SECONDS)
    assert list(store.of(catalog.sources["github"])) == [
        (b"current", b"retired"),
        (b"next", b"current"),
    ]
