import type { Account } from '../storage/accounts.ts';
import { answerJson, PENDING_ERROR, Refusal, type Reply } from './responses.ts';
import { type Call, readFields } from './body.ts';
import { creditsOf, isPending } from '../jobs/choose-account.ts';
import { accountOfQuery } from '../jobs/find-video.ts';
import { answerDeleted } from './videos.ts';
import type { Route, World } from '../state.ts';

export const accountRoutes: Route[] = [
  { method: 'GET', path: '/accounts', handle: listAccounts },
  { method: 'GET', path: '/accounts/:email', handle: getAccount },
  { method: 'POST', path: '/accounts/:email', handle: putAccount },
  { method: 'DELETE', path: '/accounts/:email', handle: deleteAccount },
  { method: 'GET', path: '/features', handle: getFeatures },
];

const DAY_MS = 86_400_000;

/** An object keyed by e-mail, and 404 when there is none. */
function listAccounts(_call: Call, world: World): Reply {
  const all = world.accounts.list();
  if (all.length === 0) throw new Refusal(404, 'No account is configured.');
  return answerJson(
    200,
    Object.fromEntries(all.map((account) => [account.email, show(account, world)])),
  );
}

function getAccount(call: Call, world: World): Reply {
  const account = world.accounts.find(readEmail(call));
  if (!account) throw new Refusal(404, 'The account is not configured.');
  return answerJson(200, show(account, world));
}

/** Adds the account or changes it, and clears its pending error. Any password will do. */
async function putAccount(call: Call, world: World): Promise<Reply> {
  const email = readEmail(call);
  const fields = await readFields(call);
  if (fields.email !== undefined && fields.email !== email) {
    throw new Refusal(400, 'Parameter email differs from the path.');
  }
  if (!/^[^@\s/]+@[^@\s/]+$/.test(email)) throw new Refusal(400, 'Parameter email is malformed.');
  if (!fields.password) throw new Refusal(400, 'Parameter password is required.');
  const maxJobs = Number(fields.maxJobs);
  if (!(Number.isInteger(maxJobs) && maxJobs >= 1 && maxJobs <= 8)) {
    throw new Refusal(400, 'Parameter maxJobs must be from 1 to 8.');
  }
  const account = await world.accounts.put(email, maxJobs);
  if (world.switches.now.account596 === email) world.switches.change({ account596: null });
  return answerJson(201, show(account, world));
}

async function deleteAccount(call: Call, world: World): Promise<Reply> {
  const email = readEmail(call);
  const wasKnown = await world.accounts.remove(email);
  if (!wasKnown) throw new Refusal(404, 'The account is not configured.');
  return answerDeleted(world, { email });
}

function readEmail(call: Call): string {
  try {
    return decodeURIComponent(call.parameter);
  } catch {
    throw new Refusal(400, 'The email in the path is malformed.');
  }
}

/** The password is not kept and the token was never real; both are shown as the real API masks them. */
function show(account: Account, world: World) {
  const expiresAtMs = account.createdAtMs + 365 * DAY_MS;
  return {
    email: account.email,
    password: '…secured…',
    maxJobs: account.maxJobs,
    jwt: {
      AccountId: account.accountId,
      ExpireTime: Math.floor(expiresAtMs / 1000),
      ExpireTimeUTC: new Date(expiresAtMs).toISOString(),
      Username: account.email.split('@')[0],
      token: 'abc…secured…cde',
    },
    // That a pending error is shown is documented, under which name is not.
    ...(isPending(account, world) ? { error: PENDING_ERROR } : {}),
  };
}

function getFeatures(call: Call, world: World): Reply {
  const account = accountOfQuery(world, call.query.get('email'));
  if (isPending(account, world)) throw new Refusal(596, PENDING_ERROR);
  return answerJson(200, { ...features(account, world), ...newFeatures(world) });
}

function features(account: Account, world: World) {
  const renewal = new Date(Date.now() + 30 * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    user_id: account.accountId,
    member_id: account.accountId,
    product_id: 1,
    plan_name: 'Pro',
    next_plan_name: 'Pro',
    next_plan_type: 2,
    current_plan_type: 2,
    type: 2,
    // No single balance is documented. All that can be spent is in one field, so a sum is right too.
    credit_daily: 0,
    credit_daily_gift: 0,
    initial_credit_gift: 0,
    credit_monthly: creditsOf(account, world),
    credit_monthly_gift: account.credits,
    credit_package: 0,
    expired_date: renewal,
    billing_renewal_date: renewal,
    price: '30',
    billing_period: 1,
    next_billing_period: 1,
    payment: 1,
    invoice_url: '',
    stripe_bill_url: '',
    gen_simultaneously: 8,
    allow_fast_mode: 1,
    allow_relaxed_mode: 1,
    allow_use_new_feat: 1,
    allow_private_generate: 1,
    remove_watermark: 1,
    allow_purchase_credit: 1,
    sub_order_in_progress: 0,
    allow_effect: 1,
  };
}

/** Fields the 2026 page adds, as far as its copy goes. */
function newFeatures(world: World) {
  if (world.profile() === '2024-12') return {};
  return {
    off_peak: 1,
    off_peak_discount: '0.5',
    qualities: ['360p', '540p', '720p'],
    cancel_updated_at: '0001-01-01T00:00:00Z',
    renewal_price: '30',
    preview_mode_discount: '0.8',
    remaining_days: 30,
    is_gift_card: false,
    unlimited_image_models: [],
  };
}
