import { join } from 'node:path';
import { z } from 'zod';
import { type JsonFiles, readJsonFile } from './json-files.ts';
import { stableNumber } from './stable-number.ts';

const accountSchema = z.object({
  email: z.string(),
  maxJobs: z.number(),
  credits: z.number(),
  accountId: z.number(),
  createdAtMs: z.number(),
  hasPendingError: z.boolean(),
  /** Numbers of deleted library videos. The library itself is not stored. */
  deletedVideos: z.array(z.string()),
});
export type Account = z.infer<typeof accountSchema>;
export type AccountDefaults = { email: string; maxJobs: number; credits?: number }[];

/** Enough for a year of manual use, so that an account has no credits only when a test asks for that. */
const DEFAULT_CREDITS = 1_000_000;
/** The real price is not documented. Any positive number shows that credits go down. */
const LIPSYNC_CREDITS = 20;

/** Off-peak is documented as "up to 50 % credits saved". */
export function priceOf({ offPeak }: { offPeak: boolean }): number {
  return offPeak ? LIPSYNC_CREDITS / 2 : LIPSYNC_CREDITS;
}

export type Accounts = {
  list(): Account[];
  find(email: string): Account | undefined;
  /** Adds an account, or changes the limit of a known one and clears its pending error. */
  put(email: string, maxJobs: number): Promise<Account>;
  remove(email: string): Promise<boolean>;
  /** Stores a change that was made to an account. */
  save(): Promise<void>;
  /** Stores changed credits soon and without fsync: a power cut may lose a few changes. */
  saveSoon(): void;
  reset(): Promise<void>;
};

export async function openAccounts(options: {
  dataDir: string;
  defaults: AccountDefaults;
  files: JsonFiles;
}): Promise<Accounts> {
  const path = join(options.dataDir, 'accounts.json');
  const stored = await readJsonFile(path);
  let accounts =
    stored === null ? createDefaults(options.defaults) : z.array(accountSchema).parse(stored);
  const save = () => options.files.save(path, accounts, true);
  if (stored === null) await save();
  let isSaving = false;
  let isChangedAgain = false;
  // Coalesced: one write in progress and at most one after it, however many jobs change the credits.
  function saveSoon() {
    isChangedAgain = isSaving;
    if (isSaving) return;
    isSaving = true;
    const done = () => {
      isSaving = false;
      if (isChangedAgain) saveSoon();
    };
    options.files.save(path, accounts, false).then(done, done);
  }
  const find = (email: string) => accounts.find((account) => account.email === email);
  return {
    list: () => accounts,
    find,
    save,
    saveSoon,
    async put(email, maxJobs) {
      const account = find(email) ?? createAccount({ email, maxJobs });
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
      accounts = createDefaults(options.defaults);
      await save();
    },
  };
}

function createDefaults(defaults: AccountDefaults): Account[] {
  return defaults.map(createAccount);
}

function createAccount(given: AccountDefaults[number]): Account {
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
