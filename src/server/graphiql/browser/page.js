import { createFetcher, endpoint } from './fetcher.js';
import { createUploadDialog } from './upload.js';

/**
 * What our GraphiQL does in the browser beyond GraphiQL. `src/server/graphiql/page.ts` writes this file and those that it
 * imports into the page, behind the scripts of graphql-ws and GraphiQL, and calls `openGraphiql`. Nothing comes from
 * elsewhere.
 *
 * @typedef {{ video: string, lipsync: string, audio: string }} Newest ids, or '' where none is known
 * @typedef {{ query: string, variables?: string }} Tab
 * @typedef {object} PageOptions
 * @property {string} title
 * @property {Tab[]} defaultTabs of who comes for the first time
 * @property {Newest} newest as the page was asked for
 * @property {string} speakAudio the document that makes a video say an upload
 * @property {{ name: string, base64: string }} sample a sentence, for who has no audio at hand
 *
 * @typedef {import('./fetcher.js').Headers_} Headers_
 * @typedef {{ tabs: { title: string, query: string | null, variables: string | null }[], activeTabIndex: number }} TabsState
 * @typedef {{ uri: { path: string }, getValue(): string, setValue(text: string): void }} Model
 */

/** What the scripts in front of this one leave behind. */
const { monaco, YogaGraphiQL } = /**
 * @type {{
 *   monaco: { editor: { getModels(): Model[] } },
 *   YogaGraphiQL: { renderYogaGraphiQL(root: Element, options: object): void },
 * }}
 */ (/** @type {unknown} */ (globalThis));

const uploadButton = '<button class="graphiql-button" data-opens="upload">Upload audio</button>';

/**
 * Opens GraphiQL with tabs that are ready: variables that are called `video`, `lipsync` or `audio` are filled with the
 * newest one, as the page was asked for and as answers name them since; headers, with those that were sent last.
 *
 * @param {Element} root
 * @param {PageOptions & Record<string, unknown>} options
 */
export function openGraphiql(root, { newest, speakAudio, sample, ...options }) {
  const filler = createFiller(newest);
  const openUpload = createUploadDialog({
    endpoint,
    sample,
    headers: readHeaders,
    onUploaded(id) {
      newest.audio = id;
      openTab('SpeakAudio', speakAudio);
      filler.fill();
    },
  });
  YogaGraphiQL.renderYogaGraphiQL(root, {
    ...options,
    title: `<span class="lipsync-title">${options.title}</span> ${uploadButton}`,
    ...restoreTabs(options.defaultTabs),
    fetcher: createFetcher(filler),
    // The editors have the tab's values as soon as whoever tells of it is done.
    onTabChange: () => queueMicrotask(filler.fill),
    onSchemaChange: filler.fill,
  });
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('[data-opens=upload]')) openUpload();
  });
}

/**
 * GraphiQL takes the tabs that it has kept only where it is given the text of one of them to begin with: else it adds an
 * empty one each time that the page is loaded. A text in the address is somebody's link.
 *
 * @param {Tab[]} ready
 */
function restoreTabs(ready) {
  const linked = new URL(location.href).searchParams.get('query');
  /** @type {TabsState | null} */
  const kept = JSON.parse(localStorage.getItem('graphiql:tabState') ?? 'null');
  const active = kept?.tabs[kept.activeTabIndex];
  if (active === undefined) {
    return linked === null ? {} : { defaultTabs: [{ query: linked }, ...ready] };
  }
  if (linked !== null && linked !== active.query) return {};
  return { query: active.query ?? '', variables: active.variables ?? '' };
}

/**
 * @typedef {ReturnType<typeof createFiller>} Filler
 *
 * @param {Newest} newest is changed by what is learnt
 */
function createFiller(newest) {
  const key = 'lipsync-graphql:filled';
  /** @type {Set<unknown>} What was filled in, and so may be replaced; what a visitor has written may not. */
  const given = new Set(JSON.parse(localStorage.getItem(key) ?? '[]'));
  const remember = (/** @type {string[]} */ ...ids) => {
    for (const id of ids) given.add(id);
    localStorage.setItem(key, JSON.stringify([...given].slice(-mostRemembered)));
  };
  remember(newest.video, newest.lipsync);
  /** @type {Headers_} In memory alone: a token stays nowhere. */
  let lastSent = {};

  const fillHeaders = () => {
    const model = findModel('request-headers.json');
    if (model?.getValue().trim() !== '' || Object.keys(lastSent).length === 0) return;
    model.setValue(JSON.stringify(lastSent, null, 2));
  };

  const fillVariables = () => {
    const model = findModel('variables.json');
    const variables = model === undefined ? null : parseObject(model.getValue());
    if (variables === null) return;
    const isOurs = (/** @type {unknown} */ id) => id === '' || given.has(id);
    const changes = Object.entries(newest).filter(
      ([name, id]) => id !== '' && id !== variables[name] && isOurs(variables[name]),
    );
    if (changes.length === 0) return;
    remember(...changes.map(([, id]) => id));
    model?.setValue(JSON.stringify({ ...variables, ...Object.fromEntries(changes) }, null, 2));
  };

  return {
    send(/** @type {Headers_} */ headers) {
      lastSent = headers;
    },
    /** Reads ids out of an answer: of whatever made a lip-sync, and of a list of videos. */
    learn(/** @type {unknown} */ data) {
      for (const [name, field] of Object.entries(data ?? {})) {
        newest.lipsync = field?.lipsync?.id ?? newest.lipsync;
        if (name === 'videos') newest.video ||= field?.nodes?.[0]?.id ?? '';
      }
    },
    fill() {
      fillHeaders();
      fillVariables();
    },
  };
}

const mostRemembered = 100;

/** @returns {Headers_} as the tab has them now */
function readHeaders() {
  return parseObject(findModel('request-headers.json')?.getValue() ?? '') ?? {};
}

/**
 * Opens the tab of that name, or makes it.
 *
 * @param {string} name
 * @param {string} query
 */
function openTab(name, query) {
  const buttons = [...document.querySelectorAll('button.graphiql-tab-button')];
  const button = buttons.find(({ textContent }) => textContent === name);
  if (button instanceof HTMLElement) return button.click();
  document
    .querySelector('button.graphiql-tab-add')
    ?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  findModel('operation.graphql')?.setValue(query);
  findModel('variables.json')?.setValue('{ "video": "", "audio": "" }');
}

/** @param {string} name of an editor's text */
function findModel(name) {
  return monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
}

/**
 * @param {string} text
 * @returns {Record<string, any> | null} null where it is none
 */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
