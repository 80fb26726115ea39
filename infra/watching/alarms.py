"""The alarms of a stack, the one that stands for events at risk, and the topic that tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.watching.alarm_definitions import alarms_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.watching.alarm import Alarm
    from infra.watching.watched import Watched

ALARMS_IN_A_RULE = 100
"""CloudWatch API reference, PutCompositeAlarm: underlying alarms of one rule."""

AT_RISK = "events-at-risk"


class Alarms(Construct):
    """Every alarm, each of which tells the topic when it begins and when it ends."""

    def __init__(self, scope: Construct, construct_id: str, *, watched: Watched) -> None:
        super().__init__(scope, construct_id)
        self._stack = watched.deployment.stack_name
        self.topic = self._topic(watched.deployment.alarms.emails)
        self._actions: dict[str, Any] = {
            "alarm_actions": [self.topic.topic_arn],
            "ok_actions": [self.topic.topic_arn],
        }
        definitions = list(alarms_of(watched))
        self.alarms = {each.name: self._alarm(each) for each in definitions}
        self.shown = [self.alarms[each.name] for each in definitions if each.tells]
        self.at_risk = self._at_risk([each for each in definitions if each.risks_events])

    def _topic(self, emails: Sequence[str]) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{self._stack}-alarms",
            master_key=self._key(),
            enforce_ssl=True,
        )
        # A policy of one's own takes the place of the default one, by which alarms may publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisStack",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions=self._alarms_of_this_stack(),
            )
        )
        for email in emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _key(self) -> kms.Key:
        """Make a key: that of AWS for SNS has a policy that keeps CloudWatch out.

        Amazon SNS Developer Guide, key management, event sources of AWS services.
        """
        key = kms.Key(
            self,
            "Key",
            description=f"{self._stack}: messages of alarms",
            enable_key_rotation=True,
            # Nothing that is kept is encrypted with it.
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisStack",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions=self._alarms_of_this_stack(),
            )
        )
        return key

    def _alarms_of_this_stack(self) -> dict[str, Any]:
        alarms = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{self._stack}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return {
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
            "ArnLike": {"aws:SourceArn": alarms},
        }

    def _alarm(self, definition: Alarm) -> cloudwatch.CfnAlarm:
        actions = dict(self._actions) if definition.tells else {}
        if definition.silence_is_bad:
            actions["insufficient_data_actions"] = [self.topic.topic_arn]
        return cloudwatch.CfnAlarm(
            self, definition.name, **definition.properties(self._stack), **actions
        )

    def _at_risk(self, risks: Sequence[Alarm]) -> cloudwatch.CfnCompositeAlarm:
        """Make the alarm over those that can lose events, in two layers where they are many."""
        parts: list[list[Alarm]] = [[]]
        for each in risks:
            if len(_named([*parts[-1], each])) > ALARMS_IN_A_RULE:
                parts.append([])
            parts[-1].append(each)
        if len(parts) == 1:
            return self._composite(AT_RISK, self._rule(risks), _named(risks), tells=True)
        names = [f"{AT_RISK}-{number}" for number in range(1, len(parts) + 1)]
        for name, part in zip(names, parts, strict=True):
            self._composite(name, self._rule(part), _named(part))
        rule = " OR ".join(f'ALARM("{self._stack}-{name}")' for name in names)
        return self._composite(AT_RISK, rule, names, tells=True)

    def _rule(self, alarms: Sequence[Alarm]) -> str:
        return " OR ".join(each.rule(self._stack) for each in alarms)

    def _composite(
        self, name: str, rule: str, names: Sequence[str], *, tells: bool = False
    ) -> cloudwatch.CfnCompositeAlarm:
        alarm = cloudwatch.CfnCompositeAlarm(
            self,
            name,
            alarm_name=f"{self._stack}-{name}",
            alarm_description="Events may be lost, or wait where they will be forgotten. The "
            "alarms that are on say where. What to do: docs/operating.md, alarms.",
            alarm_rule=rule,
            **(self._actions if tells else {}),
        )
        for each in names:
            alarm.node.add_dependency(self.node.find_child(each))
        return alarm


def _named(alarms: Sequence[Alarm]) -> list[str]:
    """Return each alarm that a rule over these names, once."""
    names = ((each.name, *each.only_with, *each.only_with_silence) for each in alarms)
    return list(dict.fromkeys(name for of_one in names for name in of_one))
