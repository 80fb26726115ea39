"""Who may call the emulator: this run's own processes, and only the services in use.

The emulator asks nobody who they are, and lets every web page read its answers. Any user of the
machine reaches its port, and so does a page in a browser, which may send a plain POST anywhere.
So each request must be signed with the run's own key (AWS Signature Version 4), must name this
machine as its host, and must not come from a page.

botocore can sign, but not verify, and its signer takes longer for a request than the emulator.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from local.credentials import RunCredentials

#: By the name that is signed: what the functions call, and what creates a stack and its secrets.
SERVICES = ("cloudformation", "dynamodb", "kinesis", "s3", "sqs", "ssm")
#: Headers that a browser sends with what a page asks for, and that no SDK sends.
_FROM_A_PAGE = ("origin", "referer", "sec-fetch-site", "sec-fetch-mode")
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
# AWS allows five minutes for most services, S3 fifteen. A laptop may sleep in between.
_SKEW = timedelta(minutes=15)
_MOST_KEYS = 200
# botocore's words for a body that is not part of the signature.
_UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


class AccessRefusedError(Exception):
    """The request is not answered; holds the status, and says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class WireCaller:
    """Who sent a request: a role of the template by its logical id, or the run itself (empty)."""

    role: str
    service: str


@dataclass(frozen=True)
class _Claim:
    """What the Authorization header says."""

    role: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def _now() -> datetime:
    return datetime.now(UTC)


def host_is_own(host: str) -> bool:
    """Tell whether a Host header names this machine: a name that was bound anew does not."""
    return _OWN_HOST.fullmatch(host) is not None


class Access:
    """Decides about requests.

    Parameters
    ----------
    credentials : RunCredentials
        The only ones that are known.
    services : Collection[str]
        Those that are answered, by the name that is signed.
    now : Callable[[], datetime]
        The time, in UTC.
    """

    def __init__(
        self,
        credentials: RunCredentials,
        services: Collection[str] = SERVICES,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._credentials = credentials
        self._services = frozenset(services)
        self._now = now
        self._keys: dict[tuple[str, str], bytes] = {}

    def check_head(self, path: str, headers: Mapping[str, str]) -> None:
        """Refuse what is seen to be foreign before its body is read.

        Parameters
        ----------
        headers : Mapping[str, str]
            By lower-case name; several of one name are joined with commas.

        Raises
        ------
        AccessRefusedError
            With 403; with 501 for a service that is not in use.
        """
        if not host_is_own(headers.get("host", "")):
            raise AccessRefusedError(403, "the Host is not this machine's own")
        for name in _FROM_A_PAGE:
            if name in headers:
                raise AccessRefusedError(403, f"{name}: a web page may not call this")
        claim = self._claim(headers)
        if claim.service not in self._services or path.startswith("/_"):
            raise AccessRefusedError(501, "this service is not in use here")

    def check(
        self, method: str, raw_path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> WireCaller:
        """Verify a request's signature; return who made it.

        Parameters
        ----------
        raw_path, query : str
            As they were sent, URL-encoded.

        Raises
        ------
        AccessRefusedError
            With 403.
        """
        claim = self._claim(headers)
        date = headers.get("x-amz-date", "")
        self._check_date(claim, date)
        stated = headers.get("x-amz-content-sha256")
        if stated not in _UNSIGNED:
            digest = hashlib.sha256(body).hexdigest()
            if stated is not None and stated != digest:
                raise AccessRefusedError(403, "the body is not the one that was signed")
            stated = digest
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in claim.signed)
        # S3 encodes a path once, the others encode what was sent another time.
        # What is between may have written the path anew: `%3D` and `=` are the same there.
        same = quote(unquote(raw_path), safe="/-_.~")
        path = same if claim.service == "s3" else quote(raw_path, safe="/-_.~")
        request = (
            f"{method}\n{path}\n{_canonical(query)}\n{lines}\n{';'.join(claim.signed)}\n{stated}"
        )
        hashed = hashlib.sha256(request.encode(errors="surrogateescape")).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{date}\n{claim.scope}\n{hashed}"
        right = hmac.digest(self._key(claim), to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(right, claim.signature):
            raise AccessRefusedError(403, "the signature is not that of this run's key")
        return WireCaller(claim.role, claim.service)

    def _claim(self, headers: Mapping[str, str]) -> _Claim:
        found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        known = self._credentials.access_key_id
        if found is None or not hmac.compare_digest(found[1][: len(known)], known):
            raise AccessRefusedError(403, "not signed with this run's access key")
        signed = tuple(found[5].split(";"))
        if not {"host", "x-amz-date"} <= set(signed) <= set(headers):
            raise AccessRefusedError(403, "the signature must cover host and x-amz-date")
        return _Claim(found[1][len(known) :], found[2], found[3], found[4], signed, found[6])

    def _check_date(self, claim: _Claim, date: str) -> None:
        try:
            signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise AccessRefusedError(403, "x-amz-date is no time") from None
        if claim.day != date[:8] or abs(self._now() - signed_at) > _SKEW:
            raise AccessRefusedError(403, "signed too long ago")

    def _key(self, claim: _Claim) -> bytes:
        """Return a role's key of a scope; there are as many scopes as services in use."""
        which = claim.role, claim.scope
        if which not in self._keys:
            if len(self._keys) > _MOST_KEYS:  # of former days
                self._keys.clear()
            own = self._credentials.of_role(claim.role)
            key = b"AWS4" + own.secret_access_key.encode()
            for part in claim.scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._keys[which] = key
        return self._keys[which]


def _canonical(query: str) -> str:
    """Return a query as it is signed: sorted, each name with its equals sign.

    As with a path, what is between may have written it anew: `%2F` and `/` are the same in it.
    """
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    same = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
        for name, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in same)
