import { createFetcher, endpoint } from './fetcher.js';
import { createUploadDialog } from './upload.js';

/**
 * The browser code that this server adds to GraphiQL. `src/server/graphiql/page.ts` writes this file and its imports into
 * the page, after the scripts of graphql-ws and GraphiQL, and calls `openGraphiql`. The page loads no other code.
 *
 * @typedef {{ video: string, lipsync: string, audio: string }} Newest ids; '' if none is known
 * @typedef {{ query: string, variables?: string }} Tab
 * @typedef {object} PageOptions
 * @property {string} title
 * @property {Tab[]} defaultTabs of the first visit
 * @property {Newest} newest at the time of the page's request
 * @property {string} speakAudio the document that makes a video speak an upload
 * @property {{ name: string, base64: string }} sample a spoken sentence, for visitors without an audio file
 *
 * @typedef {import('./fetcher.js').Headers_} Headers_
 * @typedef {{ id: string, title: string, query: string | null, variables: string | null }} StoredTab
 * @typedef {{ tabs: StoredTab[], activeTabIndex: number }} TabsState
 * @typedef {{ uri: { path: string }, getValue(): string, setValue(text: string): void }} Model
 */

/** Globals of the scripts before this one. */
const { monaco, YogaGraphiQL } = /**
 * @type {{
 *   monaco: { editor: { getModels(): Model[] } },
 *   YogaGraphiQL: { renderYogaGraphiQL(root: Element, options: object): void },
 * }}
 */ (/** @type {unknown} */ (globalThis));

const uploadButton = '<button class="graphiql-button" data-opens="upload">Upload audio</button>';

/**
 * Opens GraphiQL with prepared tabs. Variables with the names `video`, `lipsync` and `audio` are filled in with the newest
 * ids, from the page's request and from later results. Empty headers are filled in with those that were sent last.
 *
 * @param {Element} root
 * @param {PageOptions & Record<string, unknown>} options
 */
export function openGraphiql(root, { newest, speakAudio, sample, ...options }) {
  const filler = createFiller(newest);
  /** @type {string | undefined} */
  let activeTabId;
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
    // Also called for each edit, which must not be filled in again. The editors get the tab's values after this event.
    onTabChange(/** @type {TabsState} */ { tabs, activeTabIndex }) {
      const id = tabs[activeTabIndex]?.id;
      if (id === activeTabId) return;
      activeTabId = id;
      queueMicrotask(filler.fill);
    },
    onSchemaChange: filler.fill,
  });
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('[data-opens=upload]')) openUpload();
  });
}

/**
 * GraphiQL restores its stored tabs only if `query` is the text of one of them. Otherwise it adds an empty tab on every
 * load. A query in the URL comes from a shared link.
 *
 * @param {Tab[]} defaultTabs
 */
function restoreTabs(defaultTabs) {
  const linked = new URL(location.href).searchParams.get('query');
  /** @type {TabsState | null} */
  const stored = JSON.parse(localStorage.getItem('graphiql:tabState') ?? 'null');
  const active = stored?.tabs[stored.activeTabIndex];
  if (active === undefined) {
    return linked === null ? {} : { defaultTabs: [{ query: linked }, ...defaultTabs] };
  }
  if (linked !== null && linked !== active.query) return {};
  return { query: active.query ?? '', variables: active.variables ?? '' };
}

/**
 * @typedef {ReturnType<typeof createFiller>} Filler
 *
 * @param {Newest} newest is updated from results
 */
function createFiller(newest) {
  const key = 'lipsync-graphql:filled';
  /** @type {Set<unknown>} Ids that were filled in here. Only these are replaced, never a value that the visitor typed. */
  const filled = new Set(JSON.parse(localStorage.getItem(key) ?? '[]'));
  const remember = (/** @type {string[]} */ ...ids) => {
    for (const id of ids) filled.add(id);
    localStorage.setItem(key, JSON.stringify([...filled].slice(-maxRemembered)));
  };
  remember(newest.video, newest.lipsync);
  /** @type {Headers_} Only in memory, so that no token is stored. */
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
    const isReplaceable = (/** @type {unknown} */ id) => id === '' || filled.has(id);
    const changes = Object.entries(newest).filter(
      ([name, id]) => id !== '' && id !== variables[name] && isReplaceable(variables[name]),
    );
    if (changes.length === 0) return;
    remember(...changes.map(([, id]) => id));
    model?.setValue(JSON.stringify({ ...variables, ...Object.fromEntries(changes) }, null, 2));
  };

  return {
    rememberHeaders(/** @type {Headers_} */ headers) {
      lastSent = headers;
    },
    /** Takes the newest ids from a result: of a created lip-sync and of a list of videos. */
    rememberIds(/** @type {unknown} */ data) {
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

const maxRemembered = 100;

/** @returns {Headers_} of the current tab */
function readHeaders() {
  return parseObject(findModel('request-headers.json')?.getValue() ?? '') ?? {};
}

/**
 * Opens the tab with this name, or creates it.
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

/** @param {string} name of the editor */
function findModel(name) {
  return monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
}

/**
 * @param {string} text
 * @returns {Record<string, any> | null} null if the text is not a JSON object
 */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
