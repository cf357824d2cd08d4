-- One row per account: what reading its messages depends on.
--
-- vendor                 vendor
-- account                account
-- environment            production or sandbox
-- calendar               holiday calendar
-- timezone               zone of times without an offset
-- adjudication_declared  whether every check is adjudicated, as declared; null where its checks tell
-- adjudication_expected  the same, as declared or as its checks have told
-- e_verify_declared      whether every form is followed by an E-Verify case, as declared; null where its forms tell
-- e_verify_expected      the same, as declared or as its forms have told
-- is_discovering         whether what the vendor lists are orders
-- is_polled              whether it is asked, and not only pushed to
-- push_settles_after     seconds of quiet after which the newest message counts where nobody can be asked
-- part_labels            labels of free-form parts that are nobody's, whatever they are made of
-- final_adjudications    custom adjudications that are final
-- flex_fields            the customer's own fields that are shown
-- date_format            how dates are written that are not ISO 8601
-- @refresh base
create table staging.account (
    vendor varchar,
    account varchar,
    environment varchar,
    calendar varchar,
    timezone varchar,
    adjudication_declared boolean,
    adjudication_expected boolean,
    e_verify_declared boolean,
    e_verify_expected boolean,
    is_discovering boolean,
    is_polled boolean,
    push_settles_after double,
    part_labels varchar[],
    final_adjudications varchar[],
    flex_fields varchar[],
    date_format varchar
)
