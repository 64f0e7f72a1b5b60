/**
 * The dialog that uploads audio, because GraphiQL itself can't send files. It sends `uploadAudio` as a GraphQL multipart
 * request, with the headers of the current tab.
 *
 * @typedef {object} UploadOptions
 * @property {URL} endpoint
 * @property {{ name: string, base64: string }} sample
 * @property {() => Record<string, string>} headers
 * @property {(id: string) => void} onUploaded
 */

const uploadAudio = `mutation UploadAudio($file: File!) {
  uploadAudio(file: $file) {
    __typename
    ... on UploadAudioSuccess { upload { id durationSeconds } }
    ... on LipsyncError { message }
  }
}`;

const dialogHtml = `
  <header class="graphiql-dialog-header">
    <h2 class="graphiql-dialog-title" id="upload-title">Upload audio</h2>
    <button class="graphiql-un-styled" data-action="close" aria-label="Close">✕</button>
  </header>
  <div class="lipsync-upload-body">
    <p>
      Speech as WAV or MP3, at most 60 seconds. After the upload a tab opens that makes the newest
      video speak it.
    </p>
    <div class="lipsync-upload-choice">
      <label class="graphiql-button lipsync-file">
        Choose a file<input type="file" accept="audio/wav,audio/mpeg,.wav,.mp3" autofocus />
      </label>
      <button class="graphiql-button" data-action="sample">Take a sample sentence</button>
    </div>
    <progress max="1" value="0" hidden aria-label="Upload"></progress>
    <p role="status"></p>
  </div>`;

/**
 * @param {UploadOptions} options
 * @returns {() => void} opens the dialog
 */
export function createUploadDialog({ sample, onUploaded, ...target }) {
  const dialog = document.createElement('dialog');
  dialog.className = 'graphiql-dialog lipsync-upload';
  dialog.setAttribute('aria-labelledby', 'upload-title');
  dialog.innerHTML = dialogHtml;
  document.body.append(dialog);
  const input = /** @type {HTMLInputElement} */ (dialog.querySelector('input'));
  const bar = /** @type {HTMLProgressElement} */ (dialog.querySelector('progress'));
  const status = /** @type {HTMLElement} */ (dialog.querySelector('[role=status]'));

  const send = async (/** @type {File} */ file) => {
    status.textContent = `Sending ${file.name} …`;
    status.toggleAttribute('data-failed', false);
    bar.hidden = false;
    try {
      const upload = await sendAudio(file, {
        ...target,
        onProgress: (part) => {
          bar.value = part;
        },
      });
      status.textContent = `${file.name} is uploaded.`;
      dialog.close();
      onUploaded(upload.id);
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
      status.toggleAttribute('data-failed', true);
    } finally {
      bar.hidden = true;
      input.value = '';
    }
  };

  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    if (file !== undefined) void send(file);
  });
  dialog.addEventListener('click', ({ target: clicked }) => {
    const action =
      clicked instanceof Element && clicked.closest('[data-action]')?.getAttribute('data-action');
    if (action === 'close' || clicked === dialog) dialog.close();
    if (action === 'sample') void send(toFile(sample));
  });
  return () => {
    status.textContent = '';
    dialog.showModal();
  };
}

/** @param {{ name: string, base64: string }} sample */
function toFile({ name, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new File([bytes], name, { type: 'audio/mpeg' });
}

/**
 * @param {File} file
 * @param {{ endpoint: URL, headers: () => Record<string, string>, onProgress: (part: number) => void }} options
 * @returns {Promise<{ id: string, durationSeconds: number | null }>}
 */
function sendAudio(file, { endpoint: url, headers, onProgress }) {
  const form = new FormData();
  form.append('operations', JSON.stringify({ query: uploadAudio, variables: { file: null } }));
  form.append('map', '{"0":["variables.file"]}');
  form.append('0', file);
  const request = new XMLHttpRequest();
  request.open('POST', url);
  // The server requires this header of multipart requests: it forces a CORS preflight, which a plain form does not.
  for (const [name, value] of Object.entries({ ...headers(), 'x-csrf': '1' })) {
    request.setRequestHeader(name, value);
  }
  return new Promise((resolve, reject) => {
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onerror = () => reject(new Error('The connection failed.'));
    request.onload = () => {
      const { data, errors } = JSON.parse(request.responseText);
      const result = data?.uploadAudio;
      if (result?.upload) resolve(result.upload);
      else
        reject(new Error(result?.message ?? errors?.[0]?.message ?? 'The server sent no result.'));
    };
    request.send(form);
  });
}
