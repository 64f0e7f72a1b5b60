import type { LipsyncEvent } from 'lipsync-graphql-client';
import type { LipsyncState } from 'lipsync-graphql-client/react';

/** The last event that has arrived. */
export function eventOf(state: LipsyncState): LipsyncEvent | null {
  return 'event' in state ? state.event : null;
}
