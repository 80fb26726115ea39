"""What runs of a template: its functions, mappings, schedules and front door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from local.emulator import clients
from local.function_host import refusing
from local.functions import Functions
from local.gateway_control import GatewayConfig
from local.lambdas import role_of
from local.mapping.event_source import EventSourceMapping
from local.mapping.settings import read_mappings
from local.schedule_settings import read_schedules
from local.schedules import Schedule

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from local.changes import Changes
    from local.credentials import RunCredentials
    from local.gateway_control import GatewayProcess
    from local.hooks import Hooks
    from local.invocation import Invocation
    from local.mapping.group import Mappings
    from local.mapping.settings import MappingSettings
    from local.schedule_settings import ScheduleSettings
    from local.schedules import Schedules
    from local.template import Template


class RunningParts(NamedTuple):
    """What works by itself in a runtime, whatever the template is."""

    gateway: GatewayProcess
    mappings: Mappings
    schedules: Schedules


@dataclass(frozen=True)
class StackPlace:
    """Where a stack runs.

    Parameters
    ----------
    services : str
        Where its parts find the emulator.
    """

    assembly: Path
    logs: Path
    checkpoints: Path
    region: str
    services: str
    credentials: RunCredentials


class RunningStack:
    """Runs a template, and then another, without a pause in which events would be lost.

    Parameters
    ----------
    stopping : threading.Event
        Set once the runtime ends.
    """

    def __init__(
        self,
        place: StackPlace,
        parts: RunningParts,
        template: Template,
        *,
        hooks: Hooks,
        changes: Changes,
        stopping: threading.Event,
    ) -> None:
        self._place = place
        self._parts = parts
        self._changes = changes
        self._stopping = stopping
        self._template = template
        self._refused: Mapping[str, str] = {}
        self.functions = Functions(
            template,
            place.assembly,
            endpoint_url=place.services,
            credentials=place.credentials,
            logs=place.logs,
            watch=hooks.watch,
            worker=hooks.worker,
        )

    def take(self, template: Template, refused: Mapping[str, str]) -> None:
        """Begin with a template, or go over to one.

        What cannot run is found before anything is changed. Then, in this order: the functions
        and mappings know what the front door takes in before it does.

        Parameters
        ----------
        refused : Mapping[str, str]
            The routes, authorizers and rules that may not invoke their function: ARN, and why.

        Raises
        ------
        PipelineError
            When it cannot run; all goes on as it was.
        """
        mappings, schedules = read_mappings(template), read_schedules(template)
        changed = self.functions.prepare(
            template,
            at_once=[each.function for each in mappings],
            later=[each.function for each in schedules],
        )
        try:
            self._parts.gateway.prepare(self._gateway_config(template, refused))
        except BaseException:
            for host in changed.values():
                host.close()
            raise
        new = self._parts.mappings.leave(mappings, self._stopping)
        self.functions.take(template, changed)
        self._template, self._refused = template, refused
        for settings in new:
            self._start_mapping(settings)
        self._parts.gateway.commit()
        self._parts.schedules.update(schedules, self._schedule)

    def _start_mapping(self, settings: MappingSettings) -> None:
        template, place = self._template, self._place
        role = template.resource(settings.function).properties.get("Role")
        made = clients(
            endpoint_url=place.services,
            region=place.region,
            credentials=place.credentials.of_role(role_of(template, role)),
        )
        host = self.functions.host(settings.function)
        if not host.pids():
            host.warm()
        mapping = EventSourceMapping(
            settings,
            invoke=self.functions.caller(settings.function),
            clients=made,
            checkpoints=place.checkpoints / template.stack_name,
            changes=self._changes,
        )
        self._parts.mappings.start(mapping)

    def _schedule(self, settings: ScheduleSettings) -> Schedule:
        call = self.functions.caller(settings.function)

        def invoke(event: object) -> Invocation:
            rule = self._template.resolve({"Fn::GetAtt": [settings.rule, "Arn"]})
            why = self._refused.get(rule)
            return refusing(why)(event) if why else call(event)

        return Schedule(settings, invoke, self._changes)

    def _gateway_config(self, template: Template, refused: Mapping[str, str]) -> GatewayConfig:
        return GatewayConfig(
            assembly=str(self._place.assembly),
            stack=template.stack_name,
            region=self._place.region,
            endpoint_url=self._place.services,
            credentials=self._place.credentials,
            logs=str(self._place.logs),
            physical_ids=template.physical_ids,
            refused=refused,
        )
