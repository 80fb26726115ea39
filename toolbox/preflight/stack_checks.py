"""What the account and region of one stack have to have for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from settings.names import REDRIVE, full_queue_names
from toolbox.preflight.capacity import concurrency, unreserved_consumers
from toolbox.preflight.finding import Finding, ask, code_of
from toolbox.project.next_steps import next_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings.deployment import Deployment
    from settings.source.model import Source
    from toolbox.preflight.finding import AskedPlace

BOOTSTRAP_VERSION = 6
"""What each template that the CDK writes asks for, in its rule CheckBootstrapVersion."""

_SERVICES = ("apigateway", "athena", "dynamodb", "glue", "kinesis", "lambda", "sqs", "xray")
"""Those that Systems Manager's list of a region's services has by these names."""

_SERVICE = "/aws/service/global-infrastructure/regions/{region}/services/{service}"
_LARGE_RECORD_KIB = 1_024
_NAMES_IN_A_CALL = 10


@dataclass(frozen=True)
class StackPlan:
    """A stack that is to be deployed to a place.

    Parameters
    ----------
    sources : Mapping[str, Source]
        The settings of its sources, by name.
    pipeline_account : str
        The account that deploys it.
    beside : Sequence[Deployment]
        The other stacks of the configuration that share its account and region.
    """

    place: AskedPlace
    deployment: Deployment
    sources: Mapping[str, Source]
    pipeline_account: str
    beside: Sequence[Deployment] = ()

    @cached_property
    def resources(self) -> Mapping[str, str] | None:
        """What the stack has, physical id to type; None where it is not deployed."""
        cloudformation = self.place.client("cloudformation")
        pages = cloudformation.get_paginator("list_stack_resources")
        try:
            return {
                str(one["PhysicalResourceId"]): str(one["ResourceType"])
                for page in pages.paginate(StackName=self.deployment.stack_name)
                for one in page["StackResourceSummaries"]
                if "PhysicalResourceId" in one
            }
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    @property
    def queues(self) -> list[str]:
        """The names of all of its queues in SQS."""
        wanted = {
            queue
            for name, source in self.sources.items()
            for queue in (source.queue.name or name, *source.queue.by_type.values())
        }
        wanted |= {name for name, queue in self.deployment.queues.items() if queue.keep}
        names = full_queue_names(
            self.deployment.stack_name, sorted(wanted), self.deployment.queues
        ).values()
        return [one for name in names for one in (name, f"{name}{REDRIVE}")]


def stack_findings(plan: StackPlan) -> Iterator[Finding]:
    """Ask about everything that one stack needs."""
    checks = {
        "services of the region": _services,
        "large records": _large_records,
        "cdk bootstrap": _bootstrap,
        "trust in the pipeline": _trust,
        "invocations at once": _concurrency,
        "streams and shards": _shards,
        "requests a second": _throttle,
        "API Gateway's role for logs": _log_role,
        "API Gateway's own logs": _execution_logs,
        "traces": _traces,
        "names of queues": _queues,
        "secrets": _secrets,
        "mails of alarms": _mails,
    }
    for what, check in checks.items():
        yield from ask(plan.place, what, partial(check, plan, what))


def bootstrap(place: AskedPlace, what: str) -> Iterator[Finding]:
    """Look for what `cdk bootstrap` made in an account and region."""
    do = next_step(f"cdk bootstrap aws://{place.account}/{place.region}")
    try:
        answer = place.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
        yield place.fault(what, "account and region are not bootstrapped", do)
        return
    version = str(answer["Parameter"]["Value"])
    if not version.isdecimal() or int(version) < BOOTSTRAP_VERSION:
        said = f"version {version}, and the templates want {BOOTSTRAP_VERSION}"
        yield place.fault(what, said, do)
        return
    bucket = f"cdk-hnb659fds-assets-{place.account}-{place.region}"
    try:
        place.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error) not in {"404", "NoSuchBucket"}:
            raise
        yield place.fault(what, f"version {version}, and no bucket {bucket}", do)
        return
    yield place.good(what, f"version {version}")


def _bootstrap(plan: StackPlan, what: str) -> Iterator[Finding]:
    yield from bootstrap(plan.place, what)


def _trust(plan: StackPlan, what: str) -> Iterator[Finding]:
    """Look whether another account's pipeline may take on the role that deploys."""
    place = plan.place
    if plan.pipeline_account == place.account:
        return
    name = f"cdk-hnb659fds-deploy-role-{place.account}-{place.region}"
    step = f"cdk bootstrap aws://{place.account}/{place.region} --trust {plan.pipeline_account}"
    do = f"{next_step(step)}, as docs/deploying.md says"
    try:
        role = place.client("iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        yield place.fault(what, f"there is no role {name}", do)
        return
    if plan.pipeline_account in str(role["AssumeRolePolicyDocument"]):
        yield place.good(what, f"{plan.pipeline_account} may deploy")
    else:
        yield place.fault(what, f"{plan.pipeline_account}, the pipeline's, may not deploy", do)


def _services(plan: StackPlan, what: str) -> Iterator[Finding]:
    place = plan.place
    names = {_SERVICE.format(region=place.region, service=one): one for one in _SERVICES}
    answer = place.client("ssm").get_parameters(Names=list(names))
    missing = sorted(names[one] for one in answer.get("InvalidParameters", []) if one in names)
    if len(missing) == len(names):
        # Not every region and partition has the list.
        said = f"Systems Manager lists no service of {place.region}"
        yield place.unknown(what, said, "see AWS's page of services by region")
    elif missing:
        yield place.fault(what, f"none there: {', '.join(missing)}", "choose another region")
    else:
        yield place.good(what, "all that are listed there by name")


def _large_records(plan: StackPlan, what: str) -> Iterator[Finding]:
    most = plan.deployment.stream.max_record_kib
    if most > _LARGE_RECORD_KIB:
        said = f"max_record_kib: {most}; no call says whether the region takes more than 1,024"
        yield plan.place.unknown(what, said, "try it: the stream's creation says it")


def _concurrency(plan: StackPlan, what: str) -> Iterator[Finding]:
    client = plan.place.client("lambda")
    limit = client.get_account_settings()["AccountLimit"]
    held = 0
    for name, kind in (plan.resources or {}).items():
        if kind == "AWS::Lambda::Function":
            answer = client.get_function_concurrency(FunctionName=name)
            held += int(answer.get("ReservedConcurrentExecutions", 0))
    left = int(limit["UnreservedConcurrentExecutions"]) + held
    most = int(limit["ConcurrentExecutions"])
    beside = sum(sum(unreserved_consumers(one).values()) for one in plan.beside)
    known, said, do = concurrency(plan.deployment, plan.sources, most, left, beside)
    yield Finding(plan.place.where, what, known, said, do)


def _shards(plan: StackPlan, what: str) -> Iterator[Finding]:
    place, stream = plan.place, plan.deployment.stream
    limits = place.client("kinesis").describe_limits()
    if plan.resources is not None:
        yield place.good(what, "the stream is there")
        return
    if stream.shards is None:
        used, most, wanted = limits["OnDemandStreamCount"], limits["OnDemandStreamCountLimit"], 1
        kind = "streams on demand"
    else:
        used, most, wanted = limits["OpenShardCount"], limits["ShardLimit"], stream.shards
        kind = "shards"
    said = f"{used} of {most} {kind} are in use, and it wants {wanted}"
    if used + wanted > most:
        yield place.fault(what, said, f"ask for a higher quota of Kinesis, {kind}")
    else:
        yield place.good(what, said)


def _throttle(plan: StackPlan, what: str) -> Iterator[Finding]:
    place, wanted = plan.place, plan.deployment.throttle
    account = place.client("apigateway").get_account().get("throttleSettings")
    if not account:
        yield place.unknown(what, "API Gateway does not say what it takes", "see Service Quotas")
        return
    rate, burst = account["rateLimit"], account["burstLimit"]
    said = f"the account takes {rate:,.0f}, {burst:,} at once"
    if wanted.rate > rate or wanted.burst > burst:
        said += f"; throttle is {wanted.rate:,} and {wanted.burst:,}"
        do = "lower throttle.rate and throttle.burst, or ask for a higher quota of API Gateway"
        yield place.fault(what, said, do)
    else:
        yield place.good(what, said)


def _log_role(plan: StackPlan, what: str) -> Iterator[Finding]:
    """Look for the one role with which API Gateway writes all logs of an account and region.

    Each stack sets one of its own, and leaves it where it goes: a stage cannot log without.
    """
    place = plan.place
    role = place.client("apigateway").get_account().get("cloudwatchRoleArn")
    if plan.resources is None:
        said = f"the stack will take the place of {role}" if role else "the stack will set it"
        yield place.good(what, said)
    elif role:
        yield place.good(what, str(role))
    else:
        do = "deploy the stack again; without it, API Gateway changes no stage that logs"
        yield place.fault(what, "the account has none", do)


def _execution_logs(plan: StackPlan, what: str) -> Iterator[Finding]:
    """Look for the log group that API Gateway made before the stack did.

    CloudFormation makes none that is there, and rolls the update back.
    """
    place, resources = plan.place, plan.resources or {}
    for api in (name for name, kind in resources.items() if kind == "AWS::ApiGateway::RestApi"):
        group = f"API-Gateway-Execution-Logs_{api}/{plan.deployment.stage}"
        pages = place.client("logs").get_paginator("describe_log_groups")
        found = {
            str(one["logGroupName"])
            for page in pages.paginate(logGroupNamePrefix=group)
            for one in page["logGroups"]
        }
        if group in found - set(resources):
            do = f"aws logs delete-log-group --log-group-name {group}, right before the deployment"
            yield place.fault(what, f"{group} is there, and not the stack's", do)
        else:
            yield place.good(what, "their group is the stack's, or free")


def _traces(plan: StackPlan, what: str) -> Iterator[Finding]:
    place = plan.place
    answer = place.client("xray").get_trace_segment_destination()
    destination, status = answer["Destination"], answer["Status"]
    if destination == "XRay":
        yield place.good(what, "X-Ray keeps them")
        return
    said = f"they go to CloudWatch Logs ({status}): the sampling rule of the stack bounds what"
    policies = place.client("logs").get_paginator("describe_resource_policies").paginate()
    documents = [one["policyDocument"] for page in policies for one in page["resourcePolicies"]]
    if status != "ACTIVE" or not any("xray.amazonaws.com" in one for one in documents):
        do = "a resource policy of CloudWatch Logs has to let xray.amazonaws.com put log events"
        yield place.fault(what, f"they go to CloudWatch Logs ({status}), and may not", do)
    else:
        yield place.good(what, said)


def _queues(plan: StackPlan, what: str) -> Iterator[Finding]:
    """Look for queues in the way: SQS makes none of a name that is in use."""
    place = plan.place
    own = {one.rpartition("/")[2] for one in plan.resources or ()}
    taken = []
    for name in plan.queues:
        if name in own:
            continue
        try:
            place.client("sqs").get_queue_url(QueueName=name)
        except ClientError as error:
            if "NonExistentQueue" in code_of(error) or "QueueDoesNotExist" in code_of(error):
                continue
            raise
        taken.append(name)
    if taken:
        do = "import them: docs/deploying.md, 'A source that comes back'"
        yield place.fault(what, f"in use outside of the stack: {', '.join(taken)}", do)
    else:
        yield place.good(what, f"{len(plan.queues)} are the stack's, or free")


def _secrets(plan: StackPlan, what: str) -> Iterator[Finding]:
    place = plan.place
    names = {
        plan.deployment.parameter(name, kind): name
        for name, source in plan.sources.items()
        for kind in source.parameters
    }
    faults = dict(_missing(place, list(names)))
    if not faults:
        yield place.good(what, f"{len(names)} SecureStrings are there")
    for parameter, said in faults.items():
        kind = parameter.rpartition("/")[2]
        further = plan.sources[names[parameter]].parameter != kind
        which = f" --parameter {kind}" if further else ""
        step = f"secret set {names[parameter]}{which} --stack {plan.deployment.stack_name}"
        do = next_step(step)
        if plan.resources is None and said == "is not there":
            yield place.later(what, f"{parameter} {said}", f"once the stack is there: {do}")
        else:
            yield place.fault(what, f"{parameter} {said}", do)


def _missing(place: AskedPlace, names: list[str]) -> Iterator[tuple[str, str]]:
    client: Any = place.client("ssm")
    for start in range(0, len(names), _NAMES_IN_A_CALL):
        answer = client.get_parameters(
            Names=names[start : start + _NAMES_IN_A_CALL], WithDecryption=False
        )
        yield from ((name, "is not there") for name in answer.get("InvalidParameters", []))
        for one in answer.get("Parameters", []):
            if one["Type"] != "SecureString":
                yield str(one["Name"]), f"is a {one['Type']}, and no SecureString"


def _mails(plan: StackPlan, what: str) -> Iterator[Finding]:
    place, emails = plan.place, plan.deployment.alarms.emails
    if not emails:
        return
    if plan.resources is None:
        do = "confirm the mail that AWS sends to each"
        yield place.later(what, f"{len(emails)} are to be told", do)
        return
    topic = f"arn:{place.partition}:sns:{place.region}:{place.account}"
    pages = place.client("sns").get_paginator("list_subscriptions_by_topic")
    found = {
        str(one["Endpoint"]): str(one["SubscriptionArn"])
        for page in pages.paginate(TopicArn=f"{topic}:{plan.deployment.stack_name}-alarms")
        for one in page["Subscriptions"]
    }
    for email in emails:
        if email not in found:
            yield place.fault(what, f"{email} is not told", "deploy the stack again")
        elif not found[email].startswith("arn:"):
            do = "open AWS's mail and confirm; it is void after three days, then deploy again"
            yield place.fault(what, f"{email} has not confirmed", do)
        else:
            yield place.good(what, f"{email} is told")
