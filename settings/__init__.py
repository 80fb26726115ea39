"""The settings of a build: of a stage, and of the delivery pipeline. One reader, faults as data.

What other rooms may use is what stands here, and in `settings.source` for sources.
"""

from settings.bounded import (
    OUTSIDE,
    MissingFileError,
    UnfitFileError,
    leads_out,
    parse_yaml,
    read_bounded,
    read_own,
)
from settings.config_check import Checked, ConfigCheckError, check_config
from settings.delivery_pipeline import (
    BothSource,
    CodeCommit,
    DeliverySettings,
    DeliveryStage,
    GitHub,
    LoadTest,
)
from settings.delivery_stages import FILE, PlannedStack, StagePlan, load_delivery, plan_stages
from settings.deployment import (
    ON_DEMAND_SHARDS,
    Deployment,
    DeploymentError,
    StageQueue,
    StreamSettings,
    load_deployment,
)
from settings.deployment_alarms import MOST_SILENCE_HOURS, STEADY, AlarmSettings
from settings.deployment_protection import AccessLog, Domain
from settings.deployment_table import TableSettings
from settings.door import at_the_door
from settings.faults import Fault, WrongSettingsError, refuse
from settings.names import REDRIVE, full_queue_names, queue_faults
from settings.poll_targets import PollTarget, environment_value, poll_targets
from settings.reading import checked, read_mapping, read_yaml
from settings.spreading import queue_variable_bytes, spread
from settings.stack_outputs import StackOutput

__all__ = [
    "FILE",
    "MOST_SILENCE_HOURS",
    "ON_DEMAND_SHARDS",
    "OUTSIDE",
    "REDRIVE",
    "STEADY",
    "AccessLog",
    "AlarmSettings",
    "BothSource",
    "Checked",
    "CodeCommit",
    "ConfigCheckError",
    "DeliverySettings",
    "DeliveryStage",
    "Deployment",
    "DeploymentError",
    "Domain",
    "Fault",
    "GitHub",
    "LoadTest",
    "MissingFileError",
    "PlannedStack",
    "PollTarget",
    "StackOutput",
    "StagePlan",
    "StageQueue",
    "StreamSettings",
    "TableSettings",
    "UnfitFileError",
    "WrongSettingsError",
    "at_the_door",
    "check_config",
    "checked",
    "environment_value",
    "full_queue_names",
    "leads_out",
    "load_delivery",
    "load_deployment",
    "parse_yaml",
    "plan_stages",
    "poll_targets",
    "queue_faults",
    "queue_variable_bytes",
    "read_bounded",
    "read_mapping",
    "read_own",
    "read_yaml",
    "refuse",
    "spread",
]
