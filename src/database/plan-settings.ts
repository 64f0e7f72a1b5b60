/**
 * Every statement of this program finds its few rows by one index, in the order of that index. Without these settings the
 * planner reads the whole table or combines indexes where it expects many rows or the first row soon: when statistics are
 * old, or when most rows have the wanted value, as with a video from which an owner made all lip-syncs. `jit` is off because
 * before PostgreSQL 18 a disabled scan counts as so expensive that PostgreSQL would compile statements on small tables.
 */
export const planSettings = 'set enable_seqscan = off; set enable_bitmapscan = off; set jit = off';
