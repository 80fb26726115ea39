"""Where AWS's services are, as botocore resolves it: written by `make endpoints`.

The hosts of a service in a partition are by FIPS and dual stack: neither, FIPS, dual stack, both.
"""

from __future__ import annotations

Hosts = tuple[str | None, str | None, str | None, str | None]
#: By the regular expression that a partition's regions match, and by service.
PARTITIONS: dict[str, dict[str, Hosts]] = {
    "^(us|eu|ap|sa|ca|me|af|il|mx)\\-\\w+\\-\\d+$|^aws-global$": {
        "dynamodb": (
            "dynamodb.{region}.amazonaws.com",
            "dynamodb-fips.{region}.amazonaws.com",
            "dynamodb.{region}.api.aws",
            "dynamodb-fips.{region}.api.aws",
        ),
        "kinesis": (
            "kinesis.{region}.amazonaws.com",
            "kinesis-fips.{region}.amazonaws.com",
            "kinesis.{region}.api.aws",
            "kinesis-fips.{region}.api.aws",
        ),
        "s3": (
            "s3.{region}.amazonaws.com",
            "s3-fips.{region}.amazonaws.com",
            "s3.dualstack.{region}.amazonaws.com",
            "s3-fips.dualstack.{region}.amazonaws.com",
        ),
        "sqs": (
            "sqs.{region}.amazonaws.com",
            "sqs-fips.{region}.amazonaws.com",
            "sqs.{region}.api.aws",
            "sqs-fips.{region}.api.aws",
        ),
        "ssm": (
            "ssm.{region}.amazonaws.com",
            "ssm-fips.{region}.amazonaws.com",
            "ssm.{region}.api.aws",
            "ssm-fips.{region}.api.aws",
        ),
    },
    "^cn\\-\\w+\\-\\d+$|^aws-cn-global$": {
        "dynamodb": (
            "dynamodb.{region}.amazonaws.com.cn",
            "dynamodb-fips.{region}.amazonaws.com.cn",
            "dynamodb.{region}.api.amazonwebservices.com.cn",
            "dynamodb-fips.{region}.api.amazonwebservices.com.cn",
        ),
        "kinesis": (
            "kinesis.{region}.amazonaws.com.cn",
            "kinesis-fips.{region}.amazonaws.com.cn",
            "kinesis.{region}.api.amazonwebservices.com.cn",
            "kinesis-fips.{region}.api.amazonwebservices.com.cn",
        ),
        "s3": (
            "s3.{region}.amazonaws.com.cn",
            None,
            "s3.dualstack.{region}.amazonaws.com.cn",
            None,
        ),
        "sqs": (
            "sqs.{region}.amazonaws.com.cn",
            "sqs-fips.{region}.amazonaws.com.cn",
            "sqs.{region}.api.amazonwebservices.com.cn",
            "sqs-fips.{region}.api.amazonwebservices.com.cn",
        ),
        "ssm": (
            "ssm.{region}.amazonaws.com.cn",
            "ssm-fips.{region}.amazonaws.com.cn",
            "ssm.{region}.api.amazonwebservices.com.cn",
            "ssm-fips.{region}.api.amazonwebservices.com.cn",
        ),
    },
    "^eusc\\-(de)\\-\\w+\\-\\d+$": {
        "dynamodb": (
            "dynamodb.{region}.amazonaws.eu",
            "dynamodb-fips.{region}.amazonaws.eu",
            "dynamodb.{region}.api.amazonwebservices.eu",
            "dynamodb-fips.{region}.api.amazonwebservices.eu",
        ),
        "kinesis": (
            "kinesis.{region}.amazonaws.eu",
            "kinesis-fips.{region}.amazonaws.eu",
            "kinesis.{region}.api.amazonwebservices.eu",
            "kinesis-fips.{region}.api.amazonwebservices.eu",
        ),
        "s3": (
            "s3.{region}.amazonaws.eu",
            "s3-fips.{region}.amazonaws.eu",
            "s3.dualstack.{region}.amazonaws.eu",
            "s3-fips.dualstack.{region}.amazonaws.eu",
        ),
        "sqs": (
            "sqs.{region}.amazonaws.eu",
            "sqs-fips.{region}.amazonaws.eu",
            "sqs.{region}.api.amazonwebservices.eu",
            "sqs-fips.{region}.api.amazonwebservices.eu",
        ),
        "ssm": (
            "ssm.{region}.amazonaws.eu",
            "ssm-fips.{region}.amazonaws.eu",
            "ssm.{region}.api.amazonwebservices.eu",
            "ssm-fips.{region}.api.amazonwebservices.eu",
        ),
    },
    "^us\\-iso\\-\\w+\\-\\d+$|^aws-iso-global$": {
        "dynamodb": (
            "dynamodb.{region}.c2s.ic.gov",
            "dynamodb-fips.{region}.c2s.ic.gov",
            "dynamodb.{region}.api.aws.ic.gov",
            "dynamodb-fips.{region}.api.aws.ic.gov",
        ),
        "kinesis": (
            "kinesis.{region}.c2s.ic.gov",
            "kinesis-fips.{region}.c2s.ic.gov",
            "kinesis.{region}.api.aws.ic.gov",
            "kinesis-fips.{region}.api.aws.ic.gov",
        ),
        "s3": (
            "s3.{region}.c2s.ic.gov",
            "s3-fips.{region}.c2s.ic.gov",
            "s3.dualstack.{region}.c2s.ic.gov",
            "s3-fips.dualstack.{region}.c2s.ic.gov",
        ),
        "sqs": (
            "sqs.{region}.c2s.ic.gov",
            "sqs-fips.{region}.c2s.ic.gov",
            "sqs.{region}.api.aws.ic.gov",
            "sqs-fips.{region}.api.aws.ic.gov",
        ),
        "ssm": (
            "ssm.{region}.c2s.ic.gov",
            "ssm-fips.{region}.c2s.ic.gov",
            "ssm.{region}.api.aws.ic.gov",
            "ssm-fips.{region}.api.aws.ic.gov",
        ),
    },
    "^us\\-isob\\-\\w+\\-\\d+$|^aws-iso-b-global$": {
        "dynamodb": (
            "dynamodb.{region}.sc2s.sgov.gov",
            "dynamodb-fips.{region}.sc2s.sgov.gov",
            "dynamodb.{region}.api.aws.scloud",
            "dynamodb-fips.{region}.api.aws.scloud",
        ),
        "kinesis": (
            "kinesis.{region}.sc2s.sgov.gov",
            "kinesis-fips.{region}.sc2s.sgov.gov",
            "kinesis.{region}.api.aws.scloud",
            "kinesis-fips.{region}.api.aws.scloud",
        ),
        "s3": (
            "s3.{region}.sc2s.sgov.gov",
            "s3-fips.{region}.sc2s.sgov.gov",
            "s3.dualstack.{region}.sc2s.sgov.gov",
            "s3-fips.dualstack.{region}.sc2s.sgov.gov",
        ),
        "sqs": (
            "sqs.{region}.sc2s.sgov.gov",
            "sqs-fips.{region}.sc2s.sgov.gov",
            "sqs.{region}.api.aws.scloud",
            "sqs-fips.{region}.api.aws.scloud",
        ),
        "ssm": (
            "ssm.{region}.sc2s.sgov.gov",
            "ssm-fips.{region}.sc2s.sgov.gov",
            "ssm.{region}.api.aws.scloud",
            "ssm-fips.{region}.api.aws.scloud",
        ),
    },
    "^eu\\-isoe\\-\\w+\\-\\d+$|^aws-iso-e-global$": {
        "dynamodb": (
            "dynamodb.{region}.cloud.adc-e.uk",
            "dynamodb-fips.{region}.cloud.adc-e.uk",
            "dynamodb.{region}.api.cloud-aws.adc-e.uk",
            "dynamodb-fips.{region}.api.cloud-aws.adc-e.uk",
        ),
        "kinesis": (
            "kinesis.{region}.cloud.adc-e.uk",
            "kinesis-fips.{region}.cloud.adc-e.uk",
            "kinesis.{region}.api.cloud-aws.adc-e.uk",
            "kinesis-fips.{region}.api.cloud-aws.adc-e.uk",
        ),
        "s3": (
            "s3.{region}.cloud.adc-e.uk",
            "s3-fips.{region}.cloud.adc-e.uk",
            "s3.dualstack.{region}.cloud.adc-e.uk",
            "s3-fips.dualstack.{region}.cloud.adc-e.uk",
        ),
        "sqs": (
            "sqs.{region}.cloud.adc-e.uk",
            "sqs-fips.{region}.cloud.adc-e.uk",
            "sqs.{region}.api.cloud-aws.adc-e.uk",
            "sqs-fips.{region}.api.cloud-aws.adc-e.uk",
        ),
        "ssm": (
            "ssm.{region}.cloud.adc-e.uk",
            "ssm-fips.{region}.cloud.adc-e.uk",
            "ssm.{region}.api.cloud-aws.adc-e.uk",
            "ssm-fips.{region}.api.cloud-aws.adc-e.uk",
        ),
    },
    "^us\\-isof\\-\\w+\\-\\d+$|^aws-iso-f-global$": {
        "dynamodb": (
            "dynamodb.{region}.csp.hci.ic.gov",
            "dynamodb-fips.{region}.csp.hci.ic.gov",
            "dynamodb.{region}.api.aws.hci.ic.gov",
            "dynamodb-fips.{region}.api.aws.hci.ic.gov",
        ),
        "kinesis": (
            "kinesis.{region}.csp.hci.ic.gov",
            "kinesis-fips.{region}.csp.hci.ic.gov",
            "kinesis.{region}.api.aws.hci.ic.gov",
            "kinesis-fips.{region}.api.aws.hci.ic.gov",
        ),
        "s3": (
            "s3.{region}.csp.hci.ic.gov",
            "s3-fips.{region}.csp.hci.ic.gov",
            "s3.dualstack.{region}.csp.hci.ic.gov",
            "s3-fips.dualstack.{region}.csp.hci.ic.gov",
        ),
        "sqs": (
            "sqs.{region}.csp.hci.ic.gov",
            "sqs-fips.{region}.csp.hci.ic.gov",
            "sqs.{region}.api.aws.hci.ic.gov",
            "sqs-fips.{region}.api.aws.hci.ic.gov",
        ),
        "ssm": (
            "ssm.{region}.csp.hci.ic.gov",
            "ssm-fips.{region}.csp.hci.ic.gov",
            "ssm.{region}.api.aws.hci.ic.gov",
            "ssm-fips.{region}.api.aws.hci.ic.gov",
        ),
    },
    "^us\\-gov\\-\\w+\\-\\d+$|^aws-us-gov-global$": {
        "dynamodb": (
            "dynamodb.{region}.amazonaws.com",
            "dynamodb.{region}.amazonaws.com",
            "dynamodb.{region}.api.aws",
            "dynamodb-fips.{region}.api.aws",
        ),
        "kinesis": (
            "kinesis.{region}.amazonaws.com",
            "kinesis.{region}.amazonaws.com",
            "kinesis.{region}.api.aws",
            "kinesis-fips.{region}.api.aws",
        ),
        "s3": (
            "s3.{region}.amazonaws.com",
            "s3-fips.{region}.amazonaws.com",
            "s3.dualstack.{region}.amazonaws.com",
            "s3-fips.dualstack.{region}.amazonaws.com",
        ),
        "sqs": (
            "sqs.{region}.amazonaws.com",
            "sqs.{region}.amazonaws.com",
            "sqs.{region}.api.aws",
            "sqs-fips.{region}.api.aws",
        ),
        "ssm": (
            "ssm.{region}.amazonaws.com",
            "ssm.{region}.amazonaws.com",
            "ssm.{region}.api.aws",
            "ssm-fips.{region}.api.aws",
        ),
    },
}
#: By service and region, where it is not by the partition's rule.
EXCEPTIONS: dict[tuple[str, str], Hosts] = {
    ("s3", "aws-global"): (
        "s3.amazonaws.com",
        "s3-fips.us-east-1.amazonaws.com",
        "s3.dualstack.us-east-1.amazonaws.com",
        "s3-fips.dualstack.us-east-1.amazonaws.com",
    ),
    ("s3", "us-east-1"): (
        "s3.amazonaws.com",
        "s3-fips.us-east-1.amazonaws.com",
        "s3.dualstack.us-east-1.amazonaws.com",
        "s3-fips.dualstack.us-east-1.amazonaws.com",
    ),
}
