"""Keys that are looked up: how often, how long they serve, and what a forger can cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.event.secrets import SecretError, SecretUnavailableError
from pipeline.polling import key_fetching
from pipeline.polling.errors import ConnectionTroubleError, PollError
from pipeline.polling.fetched_keys import MOST_ADDRESSES, FetchedKeys
from pipeline.polling.http_client import HttpResponse
from pipeline.polling.key_fetching import fetch_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.polling.http_client import HttpRequest
    from pipeline.polling.targets import Origin

HERE = "https://keys.example.com/jwks.json"


class Internet:
    """What is at addresses, and how often each was asked for."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.found: dict[str, bytes | SecretError] = {}
        self.asked: list[str] = []
        self.keys = FetchedKeys(self.fetch, lambda: self.now)

    def fetch(self, address: str) -> bytes | None:
        self.asked.append(address)
        found = self.found.get(address)
        if isinstance(found, SecretError):
            raise found
        return found


@pytest.fixture
def internet() -> Internet:
    return Internet()


def test_what_was_found_serves_for_a_while(internet: Internet) -> None:
    internet.found[HERE] = b"old"
    for _ in range(5):
        assert internet.keys.at(HERE) == (b"old",)
    assert internet.keys.at(HERE) is internet.keys.at(HERE)
    internet.found[HERE] = b"new"
    for later, refresh, expected, asked in (
        (14.0, True, b"old", 1),
        (2.0, True, b"new", 2),
        (899.0, False, b"new", 2),
        (2.0, False, b"new", 3),
    ):
        internet.now += later
        assert internet.keys.at(HERE, refresh=refresh) == (expected,)
        assert len(internet.asked) == asked


def test_a_host_that_does_not_answer_leaves_what_is_known(internet: Internet) -> None:
    internet.found[HERE] = b"known"
    assert internet.keys.at(HERE, named=False) == (b"known",)
    internet.found[HERE] = SecretError("no answer")
    internet.now += 1_000
    for _ in range(20):
        assert internet.keys.at(HERE, refresh=True, named=False) == (b"known",)
    assert len(internet.asked) == 2
    internet.now += 86_400
    with pytest.raises(SecretError, match="no answer"):
        internet.keys.at(HERE, named=False)


def test_without_anything_known_others_wait_for_half_a_minute_and_no_longer(
    internet: Internet,
) -> None:
    internet.found[HERE] = SecretError("no answer")
    for _ in range(30):
        with pytest.raises(SecretError, match=r"^no answer$") as error:
            internet.keys.at(HERE, named=False)
        assert not isinstance(error.value, SecretUnavailableError)
        internet.now += 0.99
    assert len(internet.asked) <= 6
    internet.now += 1
    with pytest.raises(SecretUnavailableError, match=r"^no answer$"):
        internet.keys.at(HERE, named=False)
    internet.found[HERE] = b"back"
    internet.now += 15
    assert internet.keys.at(HERE, named=False) == (b"back",)


def test_for_an_address_of_a_request_nobody_waits(internet: Internet) -> None:
    internet.found[HERE] = SecretError("no answer")
    with pytest.raises(SecretUnavailableError, match=r"^no answer$"):
        internet.keys.at(HERE)


def test_who_names_many_addresses_has_four_of_them_asked_for(internet: Internet) -> None:
    internet.found[HERE] = b"right"
    assert internet.keys.at(HERE) == (b"right",)
    for number in range(4):
        assert internet.keys.at(f"{HERE}.{number}") == ()
    for number in range(4, 50):
        with pytest.raises(SecretUnavailableError, match="4 addresses led to nothing"):
            internet.keys.at(f"{HERE}.{number}")
    assert len(internet.asked) == 5
    assert internet.keys.at(HERE) == (b"right",)
    internet.found["https://other.example.com/a"] = b"other"
    assert internet.keys.at("https://other.example.com/a") == (b"other",)
    internet.now += 901
    assert internet.keys.at(HERE) == (b"right",)
    internet.found[f"{HERE}.new"] = b"new"
    assert internet.keys.at(f"{HERE}.new") == (b"new",)


def test_addresses_that_lead_to_nothing_drive_no_key_out(internet: Internet) -> None:
    internet.found[HERE] = b"right"
    assert internet.keys.at(HERE) == (b"right",)
    for number in range(100):
        internet.now += 16 * (number % 4 == 0)
        assert internet.keys.at(f"{HERE}.{number}") == ()
    assert internet.keys.at(HERE) == (b"right",)
    assert internet.asked.count(HERE) == 1


def test_failures_are_bounded_in_the_same_way(internet: Internet) -> None:
    for number in range(50):
        internet.found[f"{HERE}.{number}"] = SecretError("no answer")
        with pytest.raises(SecretUnavailableError):
            internet.keys.at(f"{HERE}.{number}")
    assert len(internet.asked) == 4


def test_memory_is_bounded(internet: Internet) -> None:
    for number in range(1_000):
        internet.found[f"{HERE}.{number}"] = b"x"
        internet.keys.at(f"{HERE}.{number}")
        internet.found[f"{HERE}/{number}"] = SecretError("no")
        internet.now += 20
        with pytest.raises(SecretError):
            internet.keys.at(f"{HERE}/{number}")
    assert len(internet.keys._found) == MOST_ADDRESSES
    assert len(internet.keys._failures) <= MOST_ADDRESSES + 1
    assert len(internet.keys._misses) == 1


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[HttpResponse | PollError], list[HttpRequest]]:
    """Have each host answer so; returns what it is asked."""

    def answer(with_this: HttpResponse | PollError) -> list[HttpRequest]:
        seen: list[HttpRequest] = []

        class Client:
            def __init__(self, origin: Origin, largest_answer: int) -> None:
                assert origin.scheme == "https"
                assert largest_answer == 65_536

            def send(self, request: HttpRequest, _: object, __: object) -> HttpResponse:
                seen.append(request)
                if isinstance(with_this, PollError):
                    raise with_this
                return with_this

        monkeypatch.setattr(key_fetching, "HttpClient", Client)
        return seen

    return answer


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        (200, b"{}"),
        (403, None),
        (404, None),
        (410, None),
        (301, SecretUnavailableError),
        (302, SecretUnavailableError),
        (429, SecretError),
        (408, SecretError),
        (500, SecretError),
        (503, SecretError),
        (204, SecretError),
    ],
)
def test_an_answer_is_a_key_or_nothing_or_no_answer(
    say: Callable[[HttpResponse | PollError], list[HttpRequest]],
    status: int,
    ends: bytes | type[SecretError] | None,
) -> None:
    seen = say(HttpResponse(status, {"location": "https://evil.example/"}, b"{}"))
    if isinstance(ends, type):
        with pytest.raises(ends) as error:
            fetch_key(HERE)
        assert type(error.value) is ends
    else:
        assert fetch_key(HERE) == ends
    assert [(one.method, one.url) for one in seen] == [("GET", HERE)]


@pytest.mark.parametrize("trouble", [PollError("too large"), ConnectionTroubleError("broke off")])
def test_trouble_is_no_decision(
    say: Callable[[HttpResponse | PollError], list[HttpRequest]], trouble: PollError
) -> None:
    say(trouble)
    with pytest.raises(SecretError, match=str(trouble)) as error:
        fetch_key(HERE)
    assert type(error.value) is SecretError


@pytest.mark.parametrize(
    "address",
    [
        "http://keys.example.com/a",
        "https://user@keys.example.com/a",
        "file:///etc/passwd",
        "//keys.example.com/a",
        "https://",
        "",
        "https://[::1",
    ],
)
def test_keys_come_by_https_alone(
    say: Callable[[HttpResponse | PollError], list[HttpRequest]], address: str
) -> None:
    seen = say(HttpResponse(200, {}, b"{}"))
    with pytest.raises(SecretUnavailableError):
        fetch_key(address)
    assert seen == []
