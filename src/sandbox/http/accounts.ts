import { Hono } from 'hono';
import { ApiError, PENDING_ERROR } from '../api-error.ts';
import { creditsOf, hasPendingError } from '../jobs/choose-account.ts';
import type { SandboxState } from '../state.ts';
import type { Account } from '../storage/accounts.ts';
import { readFields } from './body.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';
import { readAccount, readPathEmail } from './parameters.ts';
import { deletedResponse, jsonResponse } from './responses.ts';

export const accountRoutes = new Hono<SandboxEnv>()
  .get('/accounts', getAccounts)
  .get('/accounts/:email', getAccount)
  .post('/accounts/:email', putAccount)
  .delete('/accounts/:email', deleteAccount)
  .get('/features', getFeatures);

const DAY_MS = 86_400_000;

/** An object keyed by e-mail; 404 when no account is configured. */
function getAccounts(c: SandboxContext): Response {
  const { state } = c.env;
  const all = state.accounts.list();
  if (all.length === 0) throw new ApiError(404, 'No account is configured.');
  return jsonResponse(
    200,
    Object.fromEntries(all.map((account) => [account.email, accountItem(account, state)])),
  );
}

function getAccount(c: SandboxContext): Response {
  const { state } = c.env;
  const account = state.accounts.find(readPathEmail(c));
  if (!account) throw new ApiError(404, 'The account is not configured.');
  return jsonResponse(200, accountItem(account, state));
}

/** Adds or changes the account, and clears its pending error. Any password is accepted. */
async function putAccount(c: SandboxContext): Promise<Response> {
  const { state } = c.env;
  const email = readPathEmail(c);
  const fields = await readFields(c);
  if (fields.email !== undefined && fields.email !== email) {
    throw new ApiError(400, 'Parameter email differs from the path.');
  }
  if (!/^[^@\s/]+@[^@\s/]+$/.test(email)) throw new ApiError(400, 'Parameter email is malformed.');
  if (!fields.password) throw new ApiError(400, 'Parameter password is required.');
  const maxJobs = Number(fields.maxJobs);
  if (!(Number.isInteger(maxJobs) && maxJobs >= 1 && maxJobs <= 8)) {
    throw new ApiError(400, 'Parameter maxJobs must be from 1 to 8.');
  }
  const account = await state.accounts.put(email, maxJobs);
  if (state.switches.current.account596 === email) state.switches.set({ account596: null });
  return jsonResponse(201, accountItem(account, state));
}

async function deleteAccount(c: SandboxContext): Promise<Response> {
  const email = readPathEmail(c);
  const wasConfigured = await c.env.state.accounts.remove(email);
  if (!wasConfigured) throw new ApiError(404, 'The account is not configured.');
  return deletedResponse(c, { email });
}

/** The password is not stored and there is no real token; both are shown as the upstream masks them. */
function accountItem(account: Account, state: SandboxState) {
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
    // The documentation says that a pending error is shown, but not the name of the field.
    ...(hasPendingError(account, state) ? { error: PENDING_ERROR } : {}),
  };
}

function getFeatures(c: SandboxContext): Response {
  const { state } = c.env;
  const account = readAccount(c);
  if (hasPendingError(account, state)) throw new ApiError(596, PENDING_ERROR);
  return jsonResponse(200, { ...features(account, state), ...newFeatures(state) });
}

function features(account: Account, state: SandboxState) {
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
    // No single balance is documented. One field has all credits, so that a sum of the fields is right too.
    credit_daily: 0,
    credit_daily_gift: 0,
    initial_credit_gift: 0,
    credit_monthly: creditsOf(account, state),
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

/** Fields that the 2026 page adds; our copy of it is cut. */
function newFeatures(state: SandboxState) {
  if (state.profile() === '2024-12') return {};
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
