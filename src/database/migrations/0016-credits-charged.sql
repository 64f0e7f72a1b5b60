-- The video service can charge fractions of a credit.
alter table lipsyncs alter column credits_charged type double precision;
