import { Button, Group, TextInput } from '@mantine/core';
import type { KeyboardEvent } from 'react';
import { FailureNotice } from '../text/failure-notice.tsx';
import type { ImportState } from './use-import.ts';

type Props = {
  /** Such as `URL of a video`. */
  label: string;
  url: string;
  state: ImportState;
  onChange: (url: string) => void;
  onFetch: () => void;
};

/** The address of a file on the web, which the server fetches. */
export function UrlField({ label, url, state, onChange, onFetch }: Props) {
  const fetchFile = () => {
    if (url.trim() !== '' && state.kind !== 'ASKING') onFetch();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    // Otherwise it submits the whole form.
    event.preventDefault();
    fetchFile();
  };
  return (
    <>
      <Group gap="sm" align="flex-end">
        <TextInput
          label={label}
          type="url"
          inputMode="url"
          placeholder="https://"
          autoComplete="off"
          style={{ flex: '1 1 180px' }}
          value={url}
          onChange={({ currentTarget }) => onChange(currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <Button
          variant="default"
          aria-disabled={url.trim() === ''}
          data-disabled={url.trim() === '' || undefined}
          aria-busy={state.kind === 'ASKING'}
          onClick={fetchFile}
        >
          Fetch
        </Button>
      </Group>
      {state.kind === 'FAILED' && (
        <FailureNotice
          notice={state.notice}
          steps={{ TRY_AGAIN: { label: 'Fetch again', act: fetchFile } }}
        />
      )}
    </>
  );
}
