import type { Sql } from '../../../database/connect.ts';

export type PastCredits = { median: number | null; count: number };

/** For each kind, in their order: median and number of its latest fifty completed jobs whose cost the upstream reported. */
export async function readPastCredits(sql: Sql, kinds: readonly string[]): Promise<PastCredits[]> {
  return sql.query<PastCredits>(
    `select past.median, past.count from unnest($1::text[]) with ordinality as wanted (kind, place)
     cross join lateral (
       select percentile_cont(0.5) within group (order by credits_charged) as median,
         count(*)::int as count
       from (
         select credits_charged from lipsyncs
         where job_kind(text, media_seconds, off_peak) = wanted.kind
           and status = 'COMPLETED' and credits_charged is not null
         order by finished_at desc limit 50
       ) latest
     ) past order by wanted.place`,
    [kinds],
    { isPrepared: true },
  );
}
