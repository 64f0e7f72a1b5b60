import { type Behaviour, fakeToken } from './fake-upstream/behaviour.ts';
import type { Reply as FakeReply } from './fake-upstream/routes.ts';
import { type FakeUpstream, startFakeUpstream } from './fake-upstream/server.ts';

// The former names of the fake upstream, for tests that are still to be moved to `fake-upstream/`.

export type Habits = Behaviour & { tells: 'nothing' };
export type OtherUpstream = FakeUpstream & { habits: Behaviour };
export type Reply = FakeReply;
export const otherToken = fakeToken;

export async function startOtherUpstream(given: Partial<Habits> = {}): Promise<OtherUpstream> {
  const upstream = await startFakeUpstream(given);
  return { ...upstream, habits: upstream.behaviour };
}
