"""The prose of `docs/cost.md`. What is a number in it is reckoned."""

from __future__ import annotations

HEAD = """# What it costs, and how it scales

This page is made by `mozdef-ef cost --document`. The arithmetic is in `toolbox/costs`, the
prices and everything that it takes for granted are in `toolbox/costs/prices.yaml`. To work with
your own rate, size or prices, edit that file or run `mozdef-ef cost --events-per-second N
--bytes B`; with `--suggest` it says which settings of a stage are the cheapest for that rate,
and what each trades.

List prices of {region}, in US dollars, without tax, free tier, discounts or support, as of
{date}; [where each was found](#prices-and-where-they-were-found). A month has 730 hours. Rates
are averages over the month; the archive is counted as it is once its oldest objects reach the
end of their lifetime. Nothing here was read from a bill: no account ran this. Processor times
are measured on a development machine and are the least certain part; they are also among the
smallest. MozDef is taken to read from within the region: beyond it, what it reads is billed as
data out.
"""

FLOOR = """
## What a million events cost at least

At {rate:,}/s of 1 KB, dollars a million. The target is {target:.2f} with everything on.
{table}
Three lines are beyond this project's settings: {door:.2f} for the REST API, {acl:.2f} for the web
ACL and {reading:.2f} for MozDef's own reading, {floor:.2f} together. **So with a REST API and a
web ACL the target cannot be met**, whatever the rest costs. Without the web ACL it is missed by
{missed:.2f}.

{http}
MozDef's reading is a receive for at most ten messages and a delete for each message
(`mq/esworker_sqs.py`). No setting of a queue makes the deletes fewer; a worker that deleted ten
in a call would make this line {batched:.2f}.
"""

HTTP = """\
Behind an HTTP API it is met: the receiver verifies each request before the stream, so a web ACL
has nothing to guard there, and archive, ledger, duplicates, access log, metrics and alarms are
as before. [What is lost](#other-doors).
"""

READING = """
## How to read it

- The front door is the largest part in every design. A REST API takes a webhook without compute,
  and has its price for each request.
- The old framework does less: it has no archive, drops no duplicates and writes no metrics. A
  function for each webhook that does what this project does costs twice as much at 1 KB, most of
  it in one write to S3 for each event.
- Batches are why the fan-out costs little: one call for up to 500 events, one SQS request for up
  to ten, one archive object for a batch and source.
- A polled source has no front door: a call of the poller a minute for each feed, and the rest is
  the same. Its events come late by a minute or two. They are counted as a record each, though
  they come in aggregates.
- A request of many events (a list that is split, lines of JSON) is one at the door and on the
  stream, and as many as it has in table and queues.
- The table's lines count one item for an event. A source whose signature covers no id (GitHub,
  Bitbucket) has two: {second:.2f} dollars a million more on demand, {second_provisioned:.2f}
  provisioned. `same_body: ignore` in its source.yaml writes one, and a request that somebody saw
  and sends again under another id is then not told.
- Where the stream's order proves a copy, within one batch of a shard, it is neither looked up a
  second time nor written. An event itself has to be written: its next copy comes in another
  batch.
- An item is {item} bytes, and a write is billed by the KB: shorter names or binary ids would
  lower nothing but the line for what is kept.
"""

SETTINGS = """
## Settings, and what each trades

What a month costs less with one setting changed and all others at their defaults, for events of
1 KB. A default is what is right while nobody knows the rate.
"""

OTHER_SETTINGS = """
- `access_log: full` costs {full:.2f} dollars a million more than `short`. It cannot be sampled:
  API Gateway writes a line for each request or for none. The class for infrequent access would
  halve the line, and Firehose would too, but neither has metric filters, and the alarms on
  denied and throttled requests are made of them. API Gateway has no other count of 401 and 403,
  nor of 429.
- The web ACL stands where a signed source is `direct` and takes every network. Without it one
  address, or one delivery id, can fill a shard. API Gateway's own throttles cost nothing, and
  count all addresses together. It is not there, and not missed, where each such source names its
  `allowed_networks` or has `ingest: receiver`, which costs {received:.2f} dollars a million of
  its requests.
- `receiver.system_log: false` saves {quiet:.2f} dollars a million requests that the receiver
  takes: none with the defaults, all of them behind an HTTP API.
- `table.target_percent: 90` makes the provisioned units a quarter fewer, and leaves a ninth of
  room until the scaling has followed.
- `queues.<name>.receive_wait_seconds` is 20, so a receive waits for a message. With 0, five idle
  workers cost {idle:.0f} dollars a month more at 10/s, and nothing more at 1,000/s.
- Traces are one a second of the API and of each function that runs all the time.
- Larger objects of `raw/`: a batch of the archiver is bounded by the 6 MB of Lambda's request,
  which a shard fills in some seconds at 1,000/s. So a longer window pays below some 100/s.
- `archive.raw_days` and `log_retention_days` are billed by what they keep; the parts below say
  what that is.
- Capacity of DynamoDB that is reserved for a year or three is cheaper again, and is bought by
  account, not by stack.
"""

DOORS = """
## Other doors

The receiver, the function that verifies each request, can stand behind other doors than the REST
API. At 1,000/s of 1 KB, all other settings at their defaults:
{table}
What each loses against the REST API with its service integration:

- **HTTP API**: no web ACL, no request validation by API Gateway, no answers of its own to shape
  (`Retry-After` on a 429), no traces of requests. Throttles by stage and route are the same, and
  so are the access log and the domain with its client certificates. A body whose Content-Type
  says text comes as text, so bytes that are no UTF-8 may not come through
  ([more](handshakes.md#behind-an-http-api)). This one is a setting, `door`; the next two are
  designs.
- **Function URL**: all that, and the access log, throttles by source, and the domain name. What
  bounds a flood is the function's reserved concurrency alone, and all sources share it.
- **Load balancer**: a VPC with two public subnets, a certificate of one's own, at most 1 MB of a
  request, no throttles at all. A web ACL can stand before it, for the same price a request. Each
  request is taken to open a connection.

With any of them a flood of forgeries costs a call of the function for each, {forged:.2f} dollars
a million with its door, and keeps concurrency from senders in earnest: reserve some
(`receiver.reserved_concurrency`).
"""
