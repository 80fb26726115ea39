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
#: What no sender calls the id of a thing that events are about.
EVENT_IDS = frozenset({"delivery_id", "event_id", "log_id"})
#: What an object's own id is called within it.
OBJECT_IDS = frozenset({"id", "uuid", "guid", "_id"})
#: What holds the thing that an event is about; an id in it is that thing's.
OBJECTS = frozenset(
    {
        "alert",
        "body",
        "data",
        "detail",
        "details",
        "entity",
        "incident",
        "item",
        "message",
        "object",
        "payload",
        "record",
        "resource",
        "subject",
        "target",
    }
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
#: What an event is wrapped in. A type or a time below anything else is that of something else.
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
