"""Lambda authorizers: identity sources, cache, call and verdict."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from local.gateway.errors import GatewayError
from local.gateway.events import authorizer_event
from local.gateway.policies import PolicyError, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.gateway.exchange import Exchange
    from local.gateway.model import AuthorizerSettings
    from local.invocation import InvokeFunction

_NOT_AUTHORIZED = "User is not authorized to access this resource"
_CACHE_LIMIT = 10_000


class Authorizers:
    """Runs authorizers and remembers what they returned.

    The cache is keyed by the identity sources alone, as on API Gateway: a policy that was made for
    one method is used for every other that has the same identity. Calls for one identity that come
    while the first is on its way share it.

    Parameters
    ----------
    clock : Callable[[], float]
        Seconds.
    """

    def __init__(self, invoke: InvokeFunction, clock: Callable[[], float] = time.monotonic) -> None:
        self._invoke = invoke
        self._clock = clock
        self._cache: dict[tuple[str, tuple[str, ...]], tuple[float, Any]] = {}
        self._running: dict[tuple[str, tuple[str, ...]], asyncio.Task[Any]] = {}

    async def authorize(self, exchange: Exchange, settings: AuthorizerSettings) -> None:
        """Let a request pass.

        Raises
        ------
        GatewayError
            When the authorizer does not allow it, or fails.
        """
        identity = _identity(exchange, settings)
        policy = await self._policy(exchange, settings, identity)
        try:
            verdict = evaluate(policy, exchange.method_arn)
        except PolicyError as error:
            raise _misconfigured(settings, str(error)) from None
        if verdict == "explicit deny":
            raise GatewayError("ACCESS_DENIED", f"{_NOT_AUTHORIZED} with an explicit deny")
        if verdict == "implicit deny":
            raise GatewayError("ACCESS_DENIED", _NOT_AUTHORIZED)

    async def _policy(
        self, exchange: Exchange, settings: AuthorizerSettings, identity: tuple[str, ...]
    ) -> Any:
        if not settings.ttl_seconds:
            return await self._call(exchange, settings)
        key = (settings.logical_id, identity)
        found = self._cache.get(key)
        if found and found[0] > self._clock():
            return found[1]
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(self._call(exchange, settings))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # Shielded: the sender who started the call may hang up while others wait for it.
        policy = await asyncio.shield(task)
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[key] = (self._clock() + settings.ttl_seconds, policy)
        return policy

    async def _call(self, exchange: Exchange, settings: AuthorizerSettings) -> Any:
        answer = await self._invoke(settings.function, authorizer_event(exchange))
        if answer.function_error:
            message = answer.payload.get("errorMessage") if _is_map(answer.payload) else None
            if message == "Unauthorized":
                raise GatewayError("UNAUTHORIZED")
            raise GatewayError(
                "AUTHORIZER_FAILURE", reason=f"{settings.logical_id}: {answer.function_error}"
            )
        return _read(answer.payload, settings)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _misconfigured(settings: AuthorizerSettings, reason: str) -> GatewayError:
    return GatewayError("AUTHORIZER_CONFIGURATION_ERROR", reason=f"{settings.logical_id}: {reason}")


def _identity(exchange: Exchange, settings: AuthorizerSettings) -> tuple[str, ...]:
    identity = tuple(source(exchange) or "" for source in settings.identity_sources)
    if settings.ttl_seconds and not all(identity):
        raise GatewayError("UNAUTHORIZED", reason="an identity source is missing or empty")
    return identity


def _read(payload: Any, settings: AuthorizerSettings) -> Any:
    if not isinstance(payload, dict) or not isinstance(payload.get("principalId"), str):
        raise _misconfigured(settings, "the function returned no principalId")
    context = payload.get("context") or {}
    if not isinstance(context, dict):
        raise _misconfigured(settings, "context is no object")
    for name, value in context.items():
        if not isinstance(value, str | int | float | bool | None):
            raise _misconfigured(settings, f"context.{name} is an object or a list")
    return payload.get("policyDocument")
