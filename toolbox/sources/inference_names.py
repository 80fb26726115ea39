"""The names that senders give to what a source needs to know; the likelier ones first."""

from __future__ import annotations

LISTS = (
    "events",
    "records",
    "items",
    "data",
    "logs",
    "entries",
    "results",
    "messages",
)
IDS = (
    "delivery_id",
    "event_id",
    "uuid",
    "id",
    "guid",
    "message_id",
    "msg_id",
    "log_id",
    "notification_id",
    "request_id",
    "_id",
    "record_id",
)
TYPES = (
    "event_type",
    "event",
    "type",
    "action",
    "event_name",
    "kind",
    "topic",
    "name",
    "category",
)
TIMES = (
    "event_time",
    "event_ts",
    "timestamp",
    "occurred_at",
    "created_at",
    "published",
    "time",
    "created",
    "date",
    "datetime",
    "event_date",
    "triggered_at",
    "sent_at",
    "at",
    "updated_at",
    "start_time",
)
TEXTS = (
    "title",
    "name",
    "message",
    "summary",
    "description",
    "subject",
    "display_name",
    "action",
    "status",
    "severity",
    "level",
    "email",
    "user",
    "username",
    "login",
    "actor",
)
#: What an event is wrapped in. An id or a time below anything else is that of something else.
WRAPPERS = frozenset(
    {
        "alert",
        "body",
        "context",
        "data",
        "delivery",
        "detail",
        "details",
        "event",
        "header",
        "headers",
        "incident",
        "message",
        "meta",
        "metadata",
        "notification",
        "payload",
        "record",
    }
)
