"""Senders that show a token, or sign the body alone."""

from __future__ import annotations

import base64

from tests.senders.signing.made import (
    Maker,
    based,
    in_body,
    mac,
    over_body,
    with_token,
)

_FREE = "X-Webhook-Token"
#: JSON lines, compressed. API Gateway hands such a body on as it is.
_LINES = "event.ndjson.gz"
_UUID = "3f1c9a52-7a84-4a2e-9a0f-5c6d1f5b7e10"


def _spaced(scheme: str) -> str:
    return f"{scheme} "


TOKENS: dict[str, Maker] = {
    "akamai-ds2": Maker(with_token(_FREE), content_type="application/json", file=_LINES),
    "alertmanager": Maker(with_token("Authorization", _spaced("Bearer"))),
    "auth0-events": Maker(with_token("Authorization", _spaced("Bearer"))),
    "auth0": Maker(with_token("Authorization")),
    "aws-eventbridge": Maker(with_token("X-Api-Destination-Key")),
    "cloudflare": Maker(with_token("cf-webhook-auth")),
    "cloudflare-logpush": Maker(
        with_token("X-Logpush-Token"), content_type="text/plain", file=_LINES
    ),
    "datadog": Maker(with_token("Authorization", _spaced("Bearer"))),
    "dynatrace": Maker(with_token(_FREE)),
    "elastic": Maker(with_token(_FREE)),
    "figma": Maker(in_body),
    "freshdesk": Maker(with_token(_FREE)),
    "gitlab": Maker(
        with_token("X-Gitlab-Token"), headers={"X-Gitlab-Event": "Resource Access Token Hook"}
    ),
    "google-push": Maker(
        with_token("X-Goog-Channel-Token"),
        headers={
            "X-Goog-Channel-ID": "reports-1",
            "X-Goog-Message-Number": "10",
            "X-Goog-Resource-ID": "ret08u3rv24htgh289g",
            "X-Goog-Resource-State": "CHANGE_PASSWORD",
        },
    ),
    "harbor": Maker(with_token("Authorization")),
    "honeycomb": Maker(with_token("X-Honeycomb-Webhook-Token")),
    "huggingface": Maker(with_token("X-Webhook-Secret")),
    "jamf": Maker(with_token(_FREE)),
    "lacework": Maker(with_token("Authorization", _spaced("Bearer"))),
    "meraki": Maker(in_body),
    "newrelic": Maker(with_token("Authorization", _spaced("Bearer"))),
    "o365-activity": Maker(with_token("Webhook-AuthID")),
    "okta": Maker(with_token("Authorization")),
    "onelogin": Maker(with_token(_FREE)),
    "opsgenie": Maker(with_token("Authorization", _spaced("Bearer"))),
    "pingone": Maker(with_token(_FREE)),
    "snowflake": Maker(with_token(_FREE)),
    "sumologic": Maker(with_token(_FREE)),
    "supabase": Maker(with_token(_FREE)),
    "telegram": Maker(with_token("X-Telegram-Bot-Api-Secret-Token")),
    "tines": Maker(with_token(_FREE)),
    "wiz": Maker(with_token("Authorization", _spaced("Bearer"))),
    "zscaler": Maker(with_token(_FREE)),
}


def _password(secret: str, _: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


_BASIC = Maker(_password, secrets=("mozdef:0f3c-Example-Key",))
#: The address has the secret.
_PATH = Maker(in_body)
_FORM = "application/x-www-form-urlencoded"
UNSIGNED: dict[str, Maker] = {
    **dict.fromkeys(
        (
            "azure-devops",
            "bandwidth",
            "chargebee",
            "databricks",
            "pipedrive",
            "postmark",
            "servicenow",
            "sparkpost",
        ),
        _BASIC,
    ),
    **dict.fromkeys(("docker-hub", "splunk", "statuspage"), _PATH),
    "gcp-monitoring": Maker(in_body, query="auth_token=0f3c-Example-Key"),
    "adobe-sign": Maker(with_token("X-AdobeSign-ClientId")),
    "azure-eventgrid": Maker(
        with_token("X-Event-Grid-Token"), headers={"aeg-event-type": "Notification"}
    ),
    "mailchimp": Maker(in_body, content_type=_FORM, file="event.txt"),
    "ms-graph": Maker(in_body),
    "ringcentral": Maker(with_token("Verification-Token")),
    "salesforce": Maker(in_body, content_type="text/xml; charset=utf-8", file="event.xml"),
    "jotform": Maker(
        in_body, content_type="multipart/form-data; boundary=frontier", file="event.txt"
    ),
}

OVER_BODY: dict[str, Maker] = {
    "asana": Maker(over_body("X-Hook-Signature")),
    "aikido": Maker(over_body("x-aikido-webhook-signature")),
    "bitbucket-dc": Maker(
        over_body("X-Hub-Signature", "sha256="),
        headers={"X-Event-Key": "repo:refs_changed", "X-Request-Id": _UUID},
    ),
    "checkmarx": Maker(
        over_body("x-cx-webhook-signature", "sha256=", write=based),
        headers={"X-Cx-Webhook-Event": "scan_completed_successfully"},
    ),
    "checkout": Maker(over_body("Cko-Signature")),
    "circleci": Maker(
        over_body("circleci-signature", "v1="),
        headers={"circleci-event-type": "workflow-completed"},
    ),
    "clickup": Maker(over_body("X-Signature")),
    "dropbox": Maker(over_body("X-Dropbox-Signature")),
    "doppler": Maker(over_body("X-Doppler-Signature", "sha256=")),
    "firehydrant": Maker(over_body("fh-signature")),
    "gitea": Maker(
        over_body("X-Gitea-Signature"),
        headers={"X-Gitea-Event": "push", "X-Gitea-Delivery": _UUID},
    ),
    "greenhouse": Maker(over_body("Signature", "sha256 "), headers={"Greenhouse-Event-ID": "3110"}),
    "hackerone": Maker(
        over_body("X-H1-Signature", "sha256="),
        headers={"X-H1-Event": "report_triaged", "X-H1-Delivery": _UUID},
    ),
    "helpscout": Maker(
        over_body("X-HelpScout-Signature", algorithm="sha1", write=based),
        headers={"X-HelpScout-Event": "convo.created"},
    ),
    "heroku": Maker(over_body("Heroku-Webhook-Hmac-SHA256", write=based)),
    "intercom": Maker(over_body("X-Hub-Signature", "sha1=", algorithm="sha1")),
    "jfrog": Maker(over_body("X-JFrog-Event-Auth")),
    "jira": Maker(
        over_body("X-Hub-Signature", "sha256="),
        headers={"X-Atlassian-Webhook-Identifier": "5f4dcc3b5aa765d61d83"},
    ),
    "launchdarkly": Maker(over_body("X-LD-Signature")),
    "lemonsqueezy": Maker(
        over_body("X-Signature"), headers={"X-Event-Name": "subscription_created"}
    ),
    "linkedin": Maker(
        lambda secret, body: {"X-LI-Signature": mac(secret, "hmacsha256=", body).hex()}
    ),
    "logto": Maker(over_body("logto-signature-sha-256")),
    "mongodb-atlas": Maker(over_body("X-MMS-Signature", algorithm="sha1", write=based)),
    "nexus": Maker(
        over_body("X-Nexus-Webhook-Signature", algorithm="sha1"),
        headers={
            "X-Nexus-Webhook-Id": "rm:repository:component",
            "X-Nexus-Webhook-Delivery": _UUID,
        },
    ),
    "nylas": Maker(over_body("X-Nylas-Signature")),
    "quickbooks": Maker(over_body("intuit-signature", write=based)),
    "ramp": Maker(over_body("X-Ramp-Signature")),
    "segment": Maker(over_body("X-Signature", algorithm="sha1")),
    "semgrep": Maker(over_body("X-Semgrep-Signature-256")),
    "sentry": Maker(
        over_body("Sentry-Hook-Signature"),
        headers={"Sentry-Hook-Resource": "issue", "Request-ID": _UUID},
    ),
    "smartsheet": Maker(over_body("Smartsheet-Hmac-SHA256")),
    "snyk": Maker(
        over_body("X-Hub-Signature", "sha256="),
        headers={"X-Snyk-Event": "project_snapshot/v0", "X-Snyk-Transport-ID": _UUID},
    ),
    "sonarqube": Maker(over_body("X-Sonar-Webhook-HMAC-SHA256")),
    "terraform-cloud": Maker(over_body("X-TFE-Notification-Signature", algorithm="sha512")),
    "typeform": Maker(over_body("Typeform-Signature", "sha256=", write=based)),
    "vercel": Maker(over_body("x-vercel-signature", algorithm="sha1")),
    "vercel-drains": Maker(
        over_body("x-vercel-signature", algorithm="sha1"),
        content_type="application/x-ndjson",
        file="event.ndjson",
    ),
    "webex": Maker(over_body("X-Spark-Signature", algorithm="sha1")),
    "woocommerce": Maker(
        over_body("X-WC-Webhook-Signature", write=based),
        headers={"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Delivery-ID": _UUID},
    ),
    "x": Maker(over_body("x-twitter-webhooks-signature", "sha256=", write=based)),
    "xero": Maker(over_body("x-xero-signature", write=based)),
}
