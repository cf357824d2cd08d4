-- One row per call or pushed message: what was asked and what came back, read from the landed files.
--
-- response_id   the call or message; sorts in order of receipt
-- vendor        vendor
-- account       account
-- check_id      id asked for, as text; null for feeds and lists, and for most pushed messages
-- endpoint      the call's name, or push
-- channel       pull, feed or push
-- http_status   the answer's status (for a pushed message ours), null where none came
-- headers       the few headers that are kept, a JSON object
-- body          the text as received, some values masked; null where it was no text, reduced, erased or encrypted
-- body_sha256   SHA-256 of the body as received, in hexadecimal; null where it was reduced, erased or encrypted
-- requested_at  when it was asked
-- received_at   when the answer was complete
-- run_id        the run that asked
-- @refresh landed
with
line as materialized (
    select
        json::varchar as line,
        strpos(json::varchar, ',"messages":[') as head_length
    from read_ndjson_objects('landing/**/*.ndjson', ignore_errors = true, maximum_object_size = 67108864)
    -- Encrypted lines are no JSON, nor is what a crash cut short.
    where json is not null
),

head as (
    -- `messages` is the last key, and in a text no quotation mark stands without its backslash.
    select
        line,
        from_json(line[:head_length - 1] || '}', '{
            "response_id": "varchar", "vendor": "varchar", "account": "varchar", "check_id": "varchar",
            "endpoint": "varchar", "channel": "varchar", "http_status": "integer", "headers": "json",
            "requested_at": "varchar", "received_at": "varchar", "run_id": "varchar", "reject": "varchar",
            "body_sha256": "varchar", "body_text": "varchar", "body_base64": "varchar"
        }') as e,
        line[head_length:] as messages
    from line
    where head_length > 0
),

readable as (
    select
        e.response_id,
        e.vendor,
        e.account,
        e.check_id,
        e.endpoint,
        e.channel,
        e.http_status,
        e.headers::varchar as headers,
        case
            when e.body_text is not null or e.body_base64 is not null then e.body_text
            -- A body of one message stands in the line to the letter.
            when e.reject is null and e.body_sha256 is not null and messages <> ',"messages":[]}'
                then messages[strpos(messages, ',"body":') + 8:-4]
        end as body,
        e.body_sha256,
        try_cast(e.requested_at as timestamptz) as requested_at,
        try_cast(e.received_at as timestamptz) as received_at,
        e.run_id
    from head
    where e.response_id is not null
)

select * from readable
union all by name
select
    r.response_id,
    r.vendor,
    r.account,
    r.check_id,
    r.endpoint,
    r.channel,
    r.http_status,
    null::varchar as headers,
    null::varchar as body,
    null::varchar as body_sha256,
    r.requested_at,
    r.received_at,
    r.run_id
from staging.response as r
where not exists (select 1 from readable as k where r.response_id = k.response_id)
