"""Where a connection goes, how long it waits, and how much it takes."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from pipeline.aws import connections as module
from pipeline.aws.connections import MAX_IN_FLIGHT, ClientConfig, Connections
from pipeline.aws.idle import LONGEST_IDLE, clocks
from pipeline.aws.wire import RawResponse, request_bytes

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REQUEST = request_bytes("POST", "/", b"body", {"host": "h"})


class FakeSocket:
    """A peer that answers each request, or does what a test says in its place."""

    def __init__(self, answer: bytes | Exception = ANSWER, piece: int = 1 << 30) -> None:
        self.answer, self.piece = answer, piece
        self.sent: list[bytes] = []
        self.timeouts: list[float] = []
        self.sent_within: list[float | None] = []
        self.waiting = b""
        self.closed = False
        self.refuses: Exception | None = None

    def setsockopt(self, *option: int) -> None:
        assert option == (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def gettimeout(self) -> float | None:
        return self.timeouts[-1] if self.timeouts else None

    def sendall(self, data: bytes) -> None:
        assert not self.closed
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(data)
        self.sent_within.append(self.gettimeout())
        self.waiting = self.answer if isinstance(self.answer, bytes) else b""

    def recv(self, most: int) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        size = min(most, self.piece)
        part, self.waiting = self.waiting[:size], self.waiting[size:]
        return part

    def close(self) -> None:
        self.closed = True


class Network:
    """Takes the place of `socket.create_connection`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[FakeSocket] = []
        self.asked: list[tuple[tuple[str, int], float]] = []
        self.waiting: list[FakeSocket] = []
        self.default: FakeSocket | None = FakeSocket()
        monkeypatch.setattr(socket, "create_connection", self.connect)

    def connect(self, address: tuple[str, int], timeout: float) -> Any:
        self.asked.append((address, timeout))
        found = self.waiting.pop(0) if self.waiting else self.default
        if found is None:
            raise ConnectionRefusedError
        if not self.waiting and found is self.default:
            found = FakeSocket(found.answer, found.piece)
        self.opened.append(found)
        return found


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


def post(connections: Connections) -> bytes:
    return connections.send("POST", "/", b"body", {"host": "h"}).body


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://127.0.0.1:4566", ("127.0.0.1", 4566)),
        ("http://127.0.0.1", ("127.0.0.1", 80)),
        ("https://sqs.us-west-2.amazonaws.com", ("sqs.us-west-2.amazonaws.com", 443)),
        ("https://sqs.us-west-2.amazonaws.com:8443", ("sqs.us-west-2.amazonaws.com", 8443)),
    ],
)
def test_a_connection_goes_to_its_endpoint(
    network: Network, monkeypatch: pytest.MonkeyPatch, endpoint: str, address: tuple[str, int]
) -> None:
    wrapped: list[str] = []

    class Tls:
        def wrap_socket(self, one: FakeSocket, *, server_hostname: str) -> FakeSocket:
            wrapped.append(server_hostname)
            return one

    monkeypatch.setattr(module, "_tls", Tls)
    config = ClientConfig(connect_timeout=1.5, read_timeout=7.0)
    assert post(Connections(endpoint, config)) == b"{}"
    assert network.asked == [(address, 1.5)]
    (opened,) = network.opened
    assert (opened.sent_within, opened.timeouts[-1]) == ([7.0], 7.0), "not the time to connect"
    assert wrapped == ([address[0]] if endpoint.startswith("https") else [])


def test_a_connection_is_used_again(network: Network) -> None:
    connections = Connections("http://h")
    assert [post(connections) for _ in range(3)] == [b"{}"] * 3
    assert len(network.opened) == 1
    connections.close()
    assert network.opened[0].closed
    assert post(connections) == b"{}"
    assert len(network.opened) == 2


def test_a_peer_that_wants_to_close_is_not_asked_again(network: Network) -> None:
    network.default = FakeSocket(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    connections = Connections("http://h")
    assert [post(connections), post(connections)] == [b"{}", b"{}"]
    assert [one.closed for one in network.opened] == [True, True]


def test_an_answer_may_be_large_and_come_in_pieces(network: Network) -> None:
    content = bytes(range(256)) * 1200
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    network.default = FakeSocket(head + content, piece=10_000)
    assert post(Connections("http://h")) == content


def test_an_answer_that_would_fill_the_memory_is_not_read(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 1_000)
    for size, taken in ((1_000, True), (5_000, False)):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        network.default = FakeSocket(head + b"x" * size, piece=500)
        connections = Connections("http://h")
        if taken:
            assert len(post(connections)) == size
        else:
            with pytest.raises(ConnectionClosedError):
                post(connections)
            assert network.opened[-1].closed


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionClosedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", ConnectionClosedError),
        (b"no HTTP at all\r\n\r\n", ConnectionClosedError),
        (ConnectionResetError(), ConnectionClosedError),
        (TimeoutError(), ReadTimeoutError),
    ],
)
def test_an_answer_that_is_none_ends_the_connection_with_an_error_of_this_endpoint(
    network: Network, answer: bytes | Exception, error: type[Exception]
) -> None:
    network.default = FakeSocket(answer)
    connections = Connections("http://host.test:81")
    with pytest.raises(error, match=r"http://host\.test:81"):
        post(connections)
    assert all(one.closed for one in network.opened)
    (answered,) = connections.send_each([REQUEST])
    assert isinstance(answered, error)


@pytest.mark.parametrize(
    ("refuses", "error"),
    [(TimeoutError(), ReadTimeoutError), (BrokenPipeError(), ConnectionClosedError)],
)
def test_a_request_that_a_fresh_connection_does_not_take_is_an_error(
    network: Network, refuses: Exception, error: type[Exception]
) -> None:
    broken = FakeSocket()
    broken.refuses = refuses
    network.waiting = [broken]
    with pytest.raises(error, match=r"http://host\.test"):
        post(Connections("http://host.test"))
    assert broken.closed


def test_a_kept_connection_that_takes_nothing_is_replaced(network: Network) -> None:
    connections = Connections("http://h")

    def post_one() -> bytes:
        return post(connections)

    def post_each() -> bytes:
        (answer,) = connections.send_each([REQUEST])
        assert isinstance(answer, RawResponse)
        return answer.body

    for send in (post_one, post_each):
        assert send() == b"{}"
        kept = network.opened[-1]
        kept.refuses = BrokenPipeError()
        assert send() == b"{}"
        assert kept.closed
        assert network.opened[-1] is not kept


def test_calls_are_in_flight_together_and_answered_in_their_order(network: Network) -> None:
    bodies = [b'{"n":%02d}' % number for number in range(20)]
    network.waiting = [
        FakeSocket(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + body) for body in bodies[:8]
    ]
    answers = Connections("http://h").send_each([REQUEST] * 8)
    assert [one.body for one in answers] == bodies[:8]  # type: ignore[union-attr]
    assert (len(network.opened), MAX_IN_FLIGHT) == (8, 8)


class Clock:
    """The time that passes where a peer is silent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def both(self) -> tuple[float, float]:
        return self.now, self.now


class VanishedSocket(FakeSocket):
    """A peer that answered, and then is no longer there: no FIN, no RST, nothing."""

    def __init__(self, clock: Clock, room: int = 1 << 30, answers: int = 1) -> None:
        super().__init__()
        self.clock, self.room, self.answers = clock, room, answers

    def sendall(self, data: bytes) -> None:
        if self.answers == 0 and len(data) > self.room:
            self._wait()
        super().sendall(data)

    def recv(self, most: int) -> bytes:
        if self.answers == 0:
            self._wait()
        self.answers -= 1
        return super().recv(most)

    def _wait(self) -> None:
        self.clock.now += self.timeouts[-1]
        raise TimeoutError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def vanish(network: Network, clock: Clock, room: int = 1 << 30) -> Connections:
    """A pool of eight connections that worked, and vanish now."""
    network.waiting = [VanishedSocket(clock, room) for _ in range(MAX_IN_FLIGHT)]
    connections = Connections("http://h", ClientConfig(read_timeout=5.0), clock.both)
    answers = connections.send_each([REQUEST] * MAX_IN_FLIGHT)
    assert all(isinstance(one, RawResponse) for one in answers)
    assert len(network.opened) == MAX_IN_FLIGHT
    return connections


@pytest.mark.parametrize("room", [1 << 30, 0])
def test_connections_that_vanished_cost_a_call_one_time_out_and_the_next_one_none(
    network: Network, clock: Clock, room: int
) -> None:
    connections, began = vanish(network, clock, room), clock.now
    with pytest.raises(ReadTimeoutError):
        post(connections)
    assert clock.now - began == 5.0
    assert post(connections) == b"{}"
    assert clock.now - began == 5.0, "not another of those that were kept"
    assert all(one.closed for one in network.opened[:MAX_IN_FLIGHT])


@pytest.mark.parametrize("room", [1 << 30, 0, len(REQUEST)])
def test_connections_that_vanished_cost_many_calls_at_once_one_time_out_together(
    network: Network, clock: Clock, room: int
) -> None:
    connections, began = vanish(network, clock, room), clock.now
    # What is longer than a vanished connection's buffers hangs while it is written.
    long = request_bytes("POST", "/", b"long body", {"host": "h"})
    answers = connections.send_each([REQUEST, long] * 10)
    assert [type(one) for one in answers] == [ReadTimeoutError] * 20
    assert 5.0 <= clock.now - began < 5.5
    again = connections.send_each([REQUEST] * 20)
    assert all(isinstance(one, RawResponse) for one in again)
    assert 5.0 <= clock.now - began < 5.5


def test_a_service_that_answers_one_call_after_another_is_waited_for(
    network: Network, clock: Clock
) -> None:
    class Slow(FakeSocket):
        def recv(self, most: int) -> bytes:
            clock.now += 4.0
            return super().recv(most)

    network.waiting = [Slow() for _ in range(MAX_IN_FLIGHT)]
    connections = Connections("http://h", ClientConfig(read_timeout=5.0), clock.both)
    answers = connections.send_each([REQUEST] * MAX_IN_FLIGHT)
    assert all(isinstance(one, RawResponse) for one in answers)
    assert [one.timeouts[-1] for one in network.opened] == [5.0] * MAX_IN_FLIGHT


def test_what_was_answered_while_another_call_hung_is_taken(network: Network, clock: Clock) -> None:
    network.waiting = [VanishedSocket(clock, answers=0), FakeSocket(), FakeSocket()]
    connections = Connections("http://h", ClientConfig(read_timeout=5.0), clock.both)
    hung, *others = connections.send_each([REQUEST] * 3)
    assert isinstance(hung, ReadTimeoutError)
    assert all(isinstance(one, RawResponse) for one in others)
    assert post(connections) == b"{}"
    assert network.opened[-1].sent_within[-1] == 5.0, "the time that was left counts no more"


def test_a_connection_that_one_peer_closed_is_a_sign_that_all_are(network: Network) -> None:
    connections = Connections("http://h")
    connections.send_each([REQUEST] * 4)
    kept = network.opened[:]
    for one in kept:
        one.answer = b""
    assert post(connections) == b"{}"
    assert all(one.closed for one in kept)
    assert [len(one.sent) for one in kept] == [1, 1, 1, 2], "only one of them was tried"
    assert len(network.opened) == 5


@pytest.mark.parametrize(
    ("wall", "machine", "fresh"),
    [
        (LONGEST_IDLE, LONGEST_IDLE, False),
        (LONGEST_IDLE + 1, 0.0, True),  # the machine stood still
        (-3_600.0, LONGEST_IDLE + 1, True),  # the time of day was set back
        (-3_600.0, 1.0, False),
    ],
)
def test_a_connection_that_was_idle_for_long_by_either_clock_is_not_used_again(
    network: Network, wall: float, machine: float, fresh: bool
) -> None:
    now = [(1_000.0, 50.0)]
    connections = Connections("http://h", clock=lambda: now[-1])
    connections.send_each([REQUEST] * 3)
    now.append((1_000.0 + wall, 50.0 + machine))
    assert post(connections) == b"{}"
    assert len(network.opened) == (4 if fresh else 3)
    assert [one.closed for one in network.opened[:3]] == [fresh] * 3


def test_the_age_of_a_connection_is_told_by_the_time_of_day_and_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 7.0)
    monkeypatch.setattr(time, "monotonic", lambda: 3.0)
    assert clocks() == (7.0, 3.0)


def test_where_nobody_answers_no_further_call_is_made(network: Network, clock: Clock) -> None:
    network.waiting = [VanishedSocket(clock, answers=0) for _ in range(20)]
    config = ClientConfig(read_timeout=5.0)
    answers = Connections("http://h", config).send_each([REQUEST] * 20)
    assert [type(one) for one in answers] == [ReadTimeoutError] * 20
    assert len(network.opened) == MAX_IN_FLIGHT
    waits = [one.timeouts[-1] for one in network.opened]
    assert waits == [5.0] + [0.025] * 7, "the first waits in full, those in flight with it hardly"


def test_where_nobody_is_there_each_call_has_the_error(network: Network) -> None:
    network.default = None
    connections = Connections("http://h")
    with pytest.raises(EndpointConnectionError):
        post(connections)
    answers = connections.send_each([REQUEST] * 20)
    assert [type(one) for one in answers] == [EndpointConnectionError] * 20
    assert len(network.asked) == 2, "one for the call, one for all of the others"


def test_a_request_on_the_wire() -> None:
    assert request_bytes("PUT", "/k", b"body", {"host": "h", "x": "1"}) == (
        b"PUT /k HTTP/1.1\r\nhost: h\r\nx: 1\r\ncontent-length: 4\r\n\r\nbody"
    )
