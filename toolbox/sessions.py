"""boto3's session, with the region and the profile that whoever works here has chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import boto3


class NoSessionError(PipelineError):
    """The profile is not there, or cannot be read."""


def aws_session(region: str = "", profile: str = "") -> boto3.Session:
    """Return a session for a region, or for that of the environment or the profile.

    AWS's command line, version 2, and the SDKs of other languages take `AWS_REGION` before
    `AWS_DEFAULT_REGION`; boto3 takes the latter alone (AWS SDKs and Tools Reference Guide, AWS
    Region), and would so work on another region than the command line does.

    Raises
    ------
    NoSessionError
        When boto3 cannot make one.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session(
            region_name=region or os.environ.get("AWS_REGION") or None,
            profile_name=profile or None,
        )
    except BotoCoreError as error:
        raise NoSessionError(f"{error}; see AWS_PROFILE and the files that boto3 reads") from None
