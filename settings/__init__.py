"""The settings of a build: of a stage, and of the delivery pipeline. One reader, faults as data.

A program that needs one module of it does not load the others, so this imports nothing.
"""

#: What other rooms may use, by module.
PUBLIC = {
    "settings.bounded": (
        "MissingFileError",
        "OUTSIDE",
        "UnfitFileError",
        "leads_out",
        "parse_yaml",
        "read_bounded",
        "read_own",
    ),
    "settings.config_check": ("Checked", "ConfigCheckError", "check_config"),
    "settings.delivery_pipeline": (
        "BothSource",
        "CodeCommit",
        "DeliverySettings",
        "DeliveryStage",
        "GitHub",
        "LoadTest",
    ),
    "settings.delivery_stages": (
        "FILE",
        "PlannedStack",
        "StagePlan",
        "load_delivery",
        "plan_stages",
    ),
    "settings.deployment": (
        "Deployment",
        "DeploymentError",
        "ON_DEMAND_SHARDS",
        "StageQueue",
        "StreamSettings",
        "load_deployment",
    ),
    "settings.deployment_alarms": ("AlarmSettings", "MOST_SILENCE_HOURS", "STEADY"),
    "settings.deployment_protection": ("AccessLog", "Domain"),
    "settings.deployment_table": ("TableSettings",),
    "settings.door": ("at_the_door",),
    "settings.faults": ("Fault", "WrongSettingsError", "refuse"),
    "settings.names": ("REDRIVE", "full_queue_names", "queue_faults"),
    "settings.poll_targets": ("PollTarget", "environment_value", "poll_targets"),
    "settings.reading": ("checked", "read_mapping", "read_yaml"),
    "settings.spreading": ("queue_variable_bytes", "spread"),
    "settings.stack_outputs": ("StackOutput",),
}
