import { costs } from './costs.ts';
import { floods } from './floods.ts';
import { operations } from './operations.ts';
import { repetition } from './repetition.ts';
import type { Row } from './row.ts';
import { schemaTricks } from './schema-tricks.ts';
import { trust } from './trust.ts';
import { values } from './values.ts';

/** All attacks, each with its allowed counterpart. */
export const rows: Row[] = [
  ...floods,
  ...repetition,
  ...costs,
  ...schemaTricks,
  ...operations,
  ...values,
  ...trust,
];
