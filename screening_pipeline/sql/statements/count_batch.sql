-- What the batch came to: responses, checks that changed by them, and refusals.
select
    (select count(*) from batch_response),
    (
        select count(distinct check_key)
        from star.fact_check_event
        semi join touched using (check_key)
        where response_id in (select response_id from batch_response)
    ),
    (select count(*) from ops.reject where response_id in (select response_id from batch_response));
