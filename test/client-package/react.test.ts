import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Window } from 'happy-dom';
import type { CreateLipsyncInput } from 'lipsync-graphql-client';
import type { ReactNode } from 'react';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  begin,
  event,
  failureOf,
  finish,
  type ScriptedStream,
  type Step,
  startScriptedServer,
} from '../client/scripted-server.ts';
import { threeAttempts } from '../client/transports.ts';
import { reactVersions, startReactProject } from './react-versions.ts';

const input: CreateLipsyncInput = {
  video: { videoId: 'a video' },
  speech: { uploadId: 'a sound' },
};

const created: Step = (stream) =>
  stream.next({
    __typename: 'CreateLipsyncSuccess',
    replayed: false,
    lipsync: event(1, 'GENERATING').lipsync,
  });

const drop: Step = ({ response }) => response?.destroy();

const end: Step = (stream) => {
  finish(stream);
  stream.complete();
};

const keysOf = (requests: { variables: Record<string, unknown> }[]) =>
  requests.map(({ variables }) => (variables.input as CreateLipsyncInput)?.idempotencyKey);

/** A step that hands its stream to the test, which answers when it likes. */
function heldStep() {
  const { promise, resolve } = Promise.withResolvers<ScriptedStream>();
  return { step: resolve as Step, stream: promise };
}

/** An upload endpoint that reads the file and then answers. */
async function startUploadEndpoint(answer: (response: ServerResponse) => void) {
  const closed = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    response.on('close', closed.resolve);
    request.resume().on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const uploadUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const step: Step = (stream) => stream.next({ __typename: 'CreateUploadSuccess', uploadUrl });
  return { step, closed: closed.promise };
}

const ready = '{"id":"an upload","durationSeconds":5}';

const page = new Window();
beforeAll(() => {
  vi.stubGlobal('window', page);
  vi.stubGlobal('document', page.document);
});
afterAll(() => page.happyDOM.close());

describe.each(reactVersions)('with React %s', (version) => {
  let kit: Awaited<ReturnType<typeof startReactProject>>;
  beforeAll(async () => {
    kit = await startReactProject(version);
    return () => kit.project[Symbol.asyncDispose]();
  });

  /** A server of this script, and the provider around an element. */
  async function start(...steps: Step[]) {
    const scripted = await startScriptedServer(...steps);
    onTestFinished(() => scripted[Symbol.asyncDispose]());
    const server = {
      url: scripted.url,
      transport: kit.client.serverSentEvents(),
      backOff: threeAttempts,
    };
    const provide = (child: ReactNode) =>
      kit.React.createElement(kit.hooks.LipsyncProvider, { server }, child);
    return { scripted, provide };
  }

  function mount(element: ReactNode) {
    const container = page.document.createElement('div');
    const root = kit.dom.createRoot(container);
    root.render(element);
    onTestFinished(() => root.unmount());
    return { container, root };
  }

  /** A component that shows the kind of its state, and what its hook returned in each render. */
  function createProbe<Result extends { state: { kind: string } }>(useHook: () => Result) {
    const renders: Result[] = [];
    const Probe = () => {
      const result = useHook();
      renders.push(result);
      return result.state.kind;
    };
    const latest = () => {
      const result = renders.at(-1);
      if (result === undefined) throw new Error('It has not been rendered.');
      return result;
    };
    return {
      element: kit.React.createElement(Probe),
      latest,
      kinds: () => [...new Set(renders.map(({ state }) => state.kind))],
      reaches: (kind: string) =>
        vi.waitFor(() => expect(latest().state.kind).toBe(kind), { timeout: 60_000 }),
    };
  }

  const inStrictMode = (child: ReactNode) =>
    kit.React.createElement(kit.React.StrictMode, null, child);

  describe('works', () => {
    test('useMakeLipsync goes from the input to the video, through a cut of the stream', async () => {
      const { scripted, provide } = await start(
        created,
        (stream) => {
          begin(stream);
          stream.disconnect();
        },
        end,
      );
      const probe = createProbe(() => kit.hooks.useMakeLipsync());
      mount(provide(probe.element));
      await probe.reaches('IDLE');
      const answer = await probe.latest().make(input);
      expect(answer).toMatchObject({ __typename: 'CreateLipsyncSuccess' });
      await probe.reaches('ENDED');
      expect(probe.latest().state).toMatchObject({
        lipsync: { id: 'a lip-sync' },
        event: { percent: 100 },
        end: { outcome: 'COMPLETED', video: { url: 'https://videos.example/1.mp4' } },
      });
      expect(probe.kinds()).toEqual(['IDLE', 'CREATING', 'MAKING', 'ENDED']);
      expect(scripted.requests.at(-1)?.variables).toEqual({ id: 'a lip-sync', after: 'cursor 1' });
    });

    test('an effect that StrictMode runs twice creates one lip-sync', async () => {
      const { scripted, provide } = await start(created, end);
      const probe = createProbe(() => {
        const maker = kit.hooks.useMakeLipsync();
        kit.React.useEffect(() => void maker.make(input), [maker.make]);
        return maker;
      });
      mount(inStrictMode(provide(probe.element)));
      await probe.reaches('ENDED');
      expect(scripted.requests).toHaveLength(2);
      expect(keysOf(scripted.requests)[0]).toEqual(expect.any(String));
    });

    test('the same input after an error is sent with the same key, and after the end with another', async () => {
      const { scripted, provide } = await start(drop, drop, drop, created, end, created, end);
      const probe = createProbe(() => kit.hooks.useMakeLipsync());
      mount(provide(probe.element));
      await probe.reaches('IDLE');
      expect(await probe.latest().make(input)).toBeNull();
      await probe.reaches('ERROR');
      expect(probe.latest().state).toMatchObject({
        error: { name: 'LipsyncConnectionError' },
        lipsync: null,
      });
      await probe.latest().make({ ...input });
      await probe.reaches('ENDED');
      await probe.latest().make(input);
      await vi.waitFor(() => expect(scripted.requests).toHaveLength(7), { timeout: 60_000 });
      const [first, , , second, , third] = keysOf(scripted.requests);
      expect(second).toBe(first);
      expect(third).not.toBe(first);
    });

    test('cancel during the creation cancels what was created', async () => {
      const held = heldStep();
      const cancelled: Step = (stream) =>
        stream.next({
          __typename: 'LipsyncCancelled',
          lipsync: event(2, 'CANCELLED').lipsync,
        });
      const watching = heldStep();
      const { scripted, provide } = await start(
        held.step,
        (stream) => play(stream),
        (stream) => play(stream),
      );
      // The stream and the cancellation begin at the same moment.
      const play = (stream: ScriptedStream) => {
        const isStream =
          scripted.requests.length > 0 && 'id' in (scripted.requests.at(-1)?.variables ?? {});
        if (isStream) watching.step(stream);
        else cancelled(stream);
      };
      const probe = createProbe(() => kit.hooks.useMakeLipsync());
      mount(provide(probe.element));
      await probe.reaches('IDLE');
      void probe.latest().make(input);
      await probe.reaches('CREATING');
      const answer = probe.latest().cancel();
      await vi.waitFor(() => expect(probe.latest().cancellation).toEqual({ kind: 'CANCELLING' }), {
        timeout: 60_000,
      });
      created(await held.stream);
      expect(await answer).toMatchObject({ __typename: 'LipsyncCancelled' });
      const stream = await watching.stream;
      stream.next(event(2, 'CANCELLED'));
      stream.complete();
      await probe.reaches('ENDED');
      expect(probe.latest()).toMatchObject({
        state: { end: { outcome: 'CANCELLED' } },
        cancellation: { kind: 'ANSWERED', answer: { __typename: 'LipsyncCancelled' } },
      });
    });

    test('components that show the same lip-sync share a stream, which ends with the last of them', async () => {
      const held = heldStep();
      const { scripted, provide } = await start(held.step, end);
      const probes = [1, 2].map(() => createProbe(() => kit.hooks.useLipsync('a lip-sync')));
      const [first, second] = probes;
      const { root } = mount(
        inStrictMode(
          provide(
            probes.map(({ element }, key) =>
              kit.React.createElement(kit.React.Fragment, { key }, element),
            ),
          ),
        ),
      );
      const stream = await held.stream;
      begin(stream);
      await first?.reaches('MAKING');
      await second?.reaches('MAKING');
      root.render(provide(null));
      await stream.closed;
      // The lip-sync was not cancelled, and a component that is mounted later follows it from where it is.
      expect(scripted.requests).toHaveLength(1);
      const later = createProbe(() => kit.hooks.useLipsync('a lip-sync'));
      root.render(provide(later.element));
      await later.reaches('ENDED');
      expect(later.kinds()).toEqual(['CONNECTING', 'ENDED']);
    });

    test('useSuspenseLipsync shows the fallback until the first event', async () => {
      const held = heldStep();
      const { scripted, provide } = await start(held.step);
      const probe = createProbe(() => kit.hooks.useSuspenseLipsync('a lip-sync'));
      const { container } = mount(
        inStrictMode(
          provide(
            kit.React.createElement(kit.React.Suspense, { fallback: 'Waiting.' }, probe.element),
          ),
        ),
      );
      await vi.waitFor(() => expect(container.textContent).toBe('Waiting.'), { timeout: 60_000 });
      const stream = await held.stream;
      begin(stream);
      await vi.waitFor(() => expect(container.textContent).toBe('MAKING'), { timeout: 60_000 });
      finish(stream);
      stream.complete();
      await vi.waitFor(() => expect(container.textContent).toBe('ENDED'), { timeout: 60_000 });
      expect(scripted.requests).toHaveLength(1);
      expect(probe.kinds()).toEqual(['MAKING', 'ENDED']);
    });

    test('useUpload reports the progress and the id', async () => {
      const endpoint = await startUploadEndpoint((response) => response.end(ready));
      const { provide } = await start(endpoint.step);
      const probe = createProbe(() => kit.hooks.useUpload<Blob>());
      mount(inStrictMode(provide(probe.element)));
      await probe.reaches('IDLE');
      const file = new Blob([new Uint8Array(200_000)], { type: 'audio/wav' });
      const [answer, again] = await Promise.all([
        probe.latest().upload(file, { kind: 'AUDIO' }),
        probe.latest().upload(file, { kind: 'AUDIO' }),
      ]);
      expect(answer).toMatchObject({ __typename: 'UploadReady' });
      expect(again).toBe(answer);
      await probe.reaches('UPLOADED');
      expect(probe.latest().state).toEqual({
        kind: 'UPLOADED',
        file,
        id: 'an upload',
        durationSeconds: 5,
      });
      expect(probe.kinds()).toEqual(['IDLE', 'UPLOADING', 'UPLOADED']);
      probe.latest().reset();
      await probe.reaches('IDLE');
    });

    test('a server renders a fixed state without a request, and the browser hydrates it', async () => {
      const { scripted, provide } = await start(end);
      const hooks = kit.hooks;
      const probe = createProbe(() => {
        hooks.useUpload();
        const { state } = hooks.useMakeLipsync();
        const followed = hooks.useLipsync('a lip-sync');
        return { state: { kind: `${state.kind} ${followed.state.kind}` } };
      });
      const html = kit.onServer.renderToString(provide(probe.element));
      expect(html).toBe('IDLE CONNECTING');
      expect(scripted.requests).toEqual([]);
      const complaint = vi.spyOn(console, 'error');
      onTestFinished(() => complaint.mockRestore());
      const container = page.document.createElement('div');
      container.innerHTML = html;
      const root = kit.dom.hydrateRoot(container, provide(probe.element));
      onTestFinished(() => root.unmount());
      await vi.waitFor(() => expect(container.textContent).toBe('IDLE ENDED'), { timeout: 60_000 });
      expect(complaint).not.toHaveBeenCalled();
    });

    test('a server renders the fallback of Suspense', async () => {
      const { scripted, provide } = await start();
      vi.stubGlobal('document', undefined);
      Reflect.deleteProperty(globalThis, 'document');
      onTestFinished(() => void vi.stubGlobal('document', page.document));
      const probe = createProbe(() => kit.hooks.useSuspenseLipsync('a lip-sync'));
      const { Suspense, createElement } = kit.React;
      const html = kit.onServer.renderToString(
        provide(createElement(Suspense, { fallback: 'Waiting.' }, probe.element)),
      );
      expect(html).toContain('Waiting.');
      expect(scripted.requests).toEqual([]);
    });
  });

  describe('refuses', () => {
    test('a refused creation is a typed state, and retry does nothing', async () => {
      const { scripted, provide } = await start((stream) =>
        stream.next({ __typename: 'QuotaExceededError', ...failureOf('QUOTA_EXCEEDED', 60) }),
      );
      const probe = createProbe(() => kit.hooks.useMakeLipsync());
      mount(provide(probe.element));
      await probe.reaches('IDLE');
      await probe.latest().make(input);
      await probe.reaches('REFUSED');
      expect(probe.latest().state).toMatchObject({
        failure: { code: 'QUOTA_EXCEEDED', retryAfterSeconds: 60 },
        lipsync: null,
      });
      probe.latest().retry();
      expect(await probe.latest().cancel()).toBeNull();
      probe.latest().reset();
      await probe.reaches('IDLE');
      expect(scripted.requests).toHaveLength(1);
    });

    test('an unknown id is a typed state', async () => {
      const { provide } = await start((stream) => {
        stream.next({ __typename: 'NotFoundError', ...failureOf('NOT_FOUND') });
        stream.complete();
      });
      const probe = createProbe(() => kit.hooks.useLipsync('no lip-sync'));
      mount(provide(probe.element));
      await probe.reaches('REFUSED');
      expect(probe.latest().state).toMatchObject({ failure: { code: 'NOT_FOUND' } });
    });

    test('a stream that cannot be restored is an error, and retry follows after the last event', async () => {
      const { scripted, provide } = await start(
        (stream) => {
          begin(stream);
          stream.disconnect();
        },
        drop,
        drop,
        end,
      );
      const probe = createProbe(() => kit.hooks.useLipsync('a lip-sync'));
      mount(provide(probe.element));
      await probe.reaches('ERROR');
      expect(probe.latest().state).toMatchObject({ event: { sequence: 1 } });
      probe.latest().retry();
      await probe.reaches('ENDED');
      expect(scripted.requests.at(-1)?.variables).toMatchObject({ after: 'cursor 1' });
    });

    test('an upload that fails, is refused or is cancelled is a typed state', async () => {
      const refusing = await startUploadEndpoint((response) =>
        response.writeHead(415).end('{"code":"INVALID_INPUT","message":"No audio."}'),
      );
      const silent = await startUploadEndpoint(() => undefined);
      const cut = await startUploadEndpoint((response) => response.destroy());
      const { provide } = await start(refusing.step, cut.step, silent.step, silent.step);
      const probe = createProbe(() => kit.hooks.useUpload<Blob>());
      const { root } = mount(provide(probe.element));
      await probe.reaches('IDLE');
      const file = new Blob(['no audio'], { type: 'audio/wav' });
      const send = () => probe.latest().upload(file, { kind: 'AUDIO' });
      await send();
      await probe.reaches('REFUSED');
      expect(probe.latest().state).toMatchObject({ failure: { code: 'INVALID_INPUT' } });
      expect(await send()).toBeNull();
      await probe.reaches('ERROR');
      expect(probe.latest().state).toMatchObject({ error: { name: 'LipsyncConnectionError' } });
      const cancelled = send();
      await vi.waitFor(
        () => expect(probe.latest().state).toMatchObject({ sentBytes: file.size, percent: 100 }),
        { timeout: 60_000 },
      );
      probe.latest().cancel();
      expect(await cancelled).toBeNull();
      await silent.closed;
      await probe.reaches('IDLE');
      const left = send();
      root.render(provide(null));
      expect(await left).toBeNull();
    });

    test('a hook outside of a LipsyncProvider', () => {
      const probe = createProbe(() => kit.hooks.useUpload());
      expect(() => kit.onServer.renderToString(probe.element)).toThrow('LipsyncProvider');
    });
  });
});
