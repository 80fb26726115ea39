"""Writes `pipeline/aws/endpoint_table.py`: where AWS's services are, as botocore resolves it.

botocore reads some hundred kilobytes of rules for it: that is for a build, not for a cold start.
`make endpoints` writes the table anew; a test fails as long as it lacks what botocore knows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

SERVICES = ("dynamodb", "kinesis", "s3", "sqs", "ssm")
#: FIPS and dual stack, in the order of a table's row.
VARIANTS = ((False, False), (True, False), (False, True), (True, True))
TABLE = Path(__file__).parents[2] / "pipeline" / "aws" / "endpoint_table.py"
_BUCKET = "bucket"
Hosts = tuple[str | None, str | None, str | None, str | None]
_HEAD = '''"""Where AWS's services are, as botocore resolves it: written by `make endpoints`.

The hosts of a service in a partition are by FIPS and dual stack: neither, FIPS, dual stack, both.
"""

from __future__ import annotations

Hosts = tuple[str | None, str | None, str | None, str | None]
'''


class Resolver:
    """Resolves endpoints by botocore's own rules and partitions."""

    def __init__(self) -> None:
        self._loader = Loader()
        self.partitions: Any = self._loader.load_data("partitions")
        self._providers = {service: self._provider(service) for service in SERVICES}

    def _provider(self, service: str) -> EndpointProvider:
        rules = self._loader.load_service_model(service, "endpoint-rule-set-1")
        return EndpointProvider(rules, self.partitions)

    @property
    def regions(self) -> list[str]:
        """Every region of every partition."""
        return [region for one in self.partitions["partitions"] for region in one["regions"]]

    def hosts(self, service: str, region: str) -> Hosts:
        """Return a service's hosts: neither, FIPS, dual stack, both; None where there is none.

        Of S3 it is the host that a bucket's name is put before.
        """
        plain, fips, dual_stack, both = (self._host(service, region, *one) for one in VARIANTS)
        return plain, fips, dual_stack, both

    def _host(self, service: str, region: str, fips: bool, dual_stack: bool) -> str | None:
        wanted: dict[str, Any] = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack}
        if service == "s3":
            # As its client does by default (`us_east_1_regional_endpoint`: `legacy`).
            wanted |= {"Bucket": _BUCKET, "UseGlobalEndpoint": region == "us-east-1"}
        try:
            url = str(self._providers[service].resolve_endpoint(**wanted).url)
        except EndpointProviderError:
            return None
        return url.removeprefix("https://").removeprefix(f"{_BUCKET}.")


def render(resolver: Resolver) -> str:
    """Return the module's text."""
    partitions: dict[str, dict[str, Hosts]] = {}
    exceptions: dict[tuple[str, str], Hosts] = {}
    for partition in resolver.partitions["partitions"]:
        regions = list(partition["regions"])
        real = next(region for region in regions if re.match(partition["regionRegex"], region))
        pattern = _pattern(partition["regionRegex"], regions)
        # What the hosts of a region that is not known yet are made of is the rule.
        unknown = f"{real.rpartition('-')[0]}-99"
        rules = {service: _rule(resolver.hosts(service, unknown), unknown) for service in SERVICES}
        partitions[pattern] = rules
        for region in regions:
            for service in SERVICES:
                found = resolver.hosts(service, region)
                if found != tuple(one and one.format(region=region) for one in rules[service]):
                    exceptions[service, region] = found
    return (
        f"{_HEAD}"
        "#: By the regular expression that a partition's regions match, and by service.\n"
        f"PARTITIONS: dict[str, dict[str, Hosts]] = {partitions!r}\n"
        "#: By service and region, where it is not by the partition's rule.\n"
        f"EXCEPTIONS: dict[tuple[str, str], Hosts] = {exceptions!r}\n"
    )


def _pattern(expression: str, regions: list[str]) -> str:
    """Return what matches a partition's regions, those that are none of a place included."""
    others = [f"^{region}$" for region in regions if not re.match(expression, region)]
    return "|".join([expression, *others])


def _rule(hosts: Hosts, region: str) -> Hosts:
    plain, fips, dual_stack, both = (one and one.replace(region, "{region}") for one in hosts)
    return plain, fips, dual_stack, both


if __name__ == "__main__":
    TABLE.write_text(render(Resolver()))
