import { ActionIcon, Skeleton, Text } from '@mantine/core';
import { useQuery } from 'urql';
import { Icon } from '../icon.tsx';
import { usePreview } from '../media/use-preview.ts';
import { graphql } from '../session/graphql.ts';
import { explainFailure } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { explainQueryError } from '../text/query-error.ts';
import classes from './voice-picker.module.css';

const voicesQuery = graphql(`
  query Voices {
    voices {
      __typename
      ... on VoiceList { nodes { id name previewUrl } }
      ... on LipsyncError { code message retryable retryAfterSeconds }
    }
  }
`);

type Props = { voiceId: string | null; onVoice: (id: string | null) => void };

/** Each voice has a preview. */
export function VoicePicker(props: Props) {
  const [{ data, error, fetching }, refetch] = useQuery({ query: voicesQuery });
  if (data?.voices.__typename === 'VoiceList') {
    return <Voices voices={data.voices.nodes} {...props} />;
  }
  if (fetching) return <Skeleton h={160} aria-hidden="true" />;
  const notice = data === undefined ? explainQueryError(error) : explainFailure(data.voices);
  const retry = () => refetch({ requestPolicy: 'network-only' });
  return (
    <FailureNotice notice={notice} steps={{ TRY_AGAIN: { label: 'Try again', act: retry } }} />
  );
}

type Voice = { id: string; name: string | null; previewUrl: string | null };

function Voices({ voices, voiceId, onVoice }: Props & { voices: Voice[] }) {
  const preview = usePreview();
  return (
    <fieldset className={classes.field}>
      <legend className={classes.legend}>Voice</legend>
      <div className={classes.grid}>
        <div className={classes.voice}>
          <VoiceRadio
            label="Automatic"
            isChosen={voiceId === null}
            onChoose={() => onVoice(null)}
          />
        </div>
        {voices.map(({ id, name, previewUrl }) => (
          <div key={id} className={classes.voice}>
            <VoiceRadio
              label={name ?? 'Unnamed'}
              isChosen={voiceId === id}
              onChoose={() => onVoice(id)}
            />
            {previewUrl !== null && (
              <PreviewButton
                name={name ?? 'this voice'}
                isPlaying={preview.playing === previewUrl}
                onToggle={() => preview.toggle(previewUrl)}
              />
            )}
          </div>
        ))}
      </div>
      <Text size="sm" c="dimmed" role="status">
        {preview.failed !== null && 'The preview could not be played.'}
      </Text>
    </fieldset>
  );
}

function VoiceRadio(props: { label: string; isChosen: boolean; onChoose: () => void }) {
  return (
    <label className={classes.label}>
      <input
        type="radio"
        name="voice"
        className={classes.radio}
        checked={props.isChosen}
        onChange={props.onChoose}
      />
      {props.label}
    </label>
  );
}

function PreviewButton(props: { name: string; isPlaying: boolean; onToggle: () => void }) {
  return (
    <ActionIcon
      variant={props.isPlaying ? 'filled' : 'subtle'}
      color={props.isPlaying ? undefined : 'gray'}
      radius="xl"
      size="md"
      aria-label={props.isPlaying ? `Stop ${props.name}` : `Listen to ${props.name}`}
      onClick={props.onToggle}
    >
      <Icon name={props.isPlaying ? 'stop' : 'play'} size={13} />
    </ActionIcon>
  );
}
