/**
 * How often a quiet connection sends a comment or a ping, in milliseconds. Proxies and load balancers cut connections that
 * are quiet for 60 seconds by default (nginx, AWS, HAProxy's usual example). At a fifth of that, four heartbeats in a row
 * can be late.
 */
export const defaultHeartbeatMs = 12_000;

/**
 * Calls `send` in this interval, and skips a turn while the call before is still in progress.
 *
 * @returns stops the heartbeat
 */
export function startHeartbeat(send: () => void | Promise<void>, everyMs: number): () => void {
  let isSending = false;
  const timer = setInterval(async () => {
    if (isSending) return;
    isSending = true;
    await send();
    isSending = false;
  }, everyMs);
  return () => clearInterval(timer);
}
