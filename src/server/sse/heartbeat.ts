/**
 * How often a quiet connection sends a comment or a ping, in milliseconds. Proxies and load balancers cut connections that
 * are quiet for 60 seconds by default (nginx, AWS, HAProxy's usual example). At a fifth of that, four heartbeats in a row
 * can be late.
 */
export const defaultHeartbeatMs = 12_000;

/**
 * Calls `send` after this time or up to a tenth sooner, again and again, and skips a turn while the call before is still in
 * progress. The times are random: otherwise ten thousand connections that opened together, or that a busy moment delayed
 * together, would send in one turn of the event loop from then on.
 *
 * @returns stops the heartbeat
 */
export function startHeartbeat(send: () => void | Promise<void>, everyMs: number): () => void {
  let isSending = false;
  let timer: NodeJS.Timeout;
  const schedule = () => {
    timer = setTimeout(beat, everyMs * (1 - Math.random() / 10));
  };
  const beat = async () => {
    schedule();
    if (isSending) return;
    isSending = true;
    await send();
    isSending = false;
  };
  schedule();
  return () => clearTimeout(timer);
}
