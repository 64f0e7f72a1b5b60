import { join } from 'node:path';
import { z } from 'zod';
import { type Disk, readOne } from './json-files.ts';
import { stableNumber } from '../jobs/job.ts';

const accountSchema = z.object({
  email: z.string(),
  maxJobs: z.number(),
  credits: z.number(),
  accountId: z.number(),
  createdAtMs: z.number(),
  hasPendingError: z.boolean(),
  /** Numbers of the library's videos that were deleted: the library itself is not stored. */
  deletedVideos: z.array(z.string()),
});
export type Account = z.infer<typeof accountSchema>;
export type AccountDefaults = { email: string; maxJobs: number; credits?: number }[];

/** Enough that nobody who plays with the sandbox for a year runs out without asking for it. */
const DEFAULT_CREDITS = 1_000_000;
/** PixVerse's price is not documented; any whole number shows that credits go down. */
export const LIPSYNC_CREDITS = 20;

export type Accounts = {
  list(): Account[];
  find(email: string): Account | undefined;
  /** Adds an account, or gives a known one a new limit and clears its pending error. */
  put(email: string, maxJobs: number): Promise<Account>;
  remove(email: string): Promise<boolean>;
  /** Keeps what was changed in an account. */
  save(): Promise<void>;
  /** Keeps credits, some time soon: a power cut may give a few back. */
  saveSoon(): void;
  reset(): Promise<void>;
};

export async function openAccounts(options: {
  dataDir: string;
  defaults: AccountDefaults;
  disk: Disk;
}): Promise<Accounts> {
  const path = join(options.dataDir, 'accounts.json');
  const stored = await readOne(path);
  let accounts = stored === null ? seed(options.defaults) : z.array(accountSchema).parse(stored);
  const save = () => options.disk.save(path, accounts, true);
  if (stored === null) await save();
  let isSaving = false;
  let isStale = false;
  // One write at a time and one more behind it, however many jobs are paid for meanwhile.
  function saveSoon() {
    isStale = isSaving;
    if (isSaving) return;
    isSaving = true;
    const done = () => {
      isSaving = false;
      if (isStale) saveSoon();
    };
    options.disk.save(path, accounts, false).then(done, done);
  }
  const find = (email: string) => accounts.find((account) => account.email === email);
  return {
    list: () => accounts,
    find,
    save,
    saveSoon,
    async put(email, maxJobs) {
      const account = find(email) ?? create({ email, maxJobs });
      account.maxJobs = maxJobs;
      account.hasPendingError = false;
      if (!accounts.includes(account)) accounts.push(account);
      await save();
      return account;
    },
    async remove(email) {
      const isKnown = find(email) !== undefined;
      accounts = accounts.filter((account) => account.email !== email);
      await save();
      return isKnown;
    },
    async reset() {
      accounts = seed(options.defaults);
      await save();
    },
  };
}

function seed(defaults: AccountDefaults): Account[] {
  return defaults.map(create);
}

function create(given: AccountDefaults[number]): Account {
  return {
    email: given.email,
    maxJobs: given.maxJobs,
    credits: given.credits ?? DEFAULT_CREDITS,
    accountId: stableNumber(given.email),
    createdAtMs: Date.now(),
    hasPendingError: false,
    deletedVideos: [],
  };
}
