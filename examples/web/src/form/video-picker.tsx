import { Alert, Button, Group, Input, Skeleton, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';
import { Icon } from '../icon.tsx';
import { graphql } from '../session/graphql.ts';
import { explainFailure } from '../text/explain.ts';
import { FailureNotice } from '../text/failure-notice.tsx';
import { explainQueryError } from '../text/query-error.ts';
import type { Change, ChosenVideo, Draft } from './draft.ts';
import { VideoChoice } from './video-choice.tsx';
import classes from './video-picker.module.css';
import { VideoUpload } from './video-upload.tsx';

const videosQuery = graphql(`
  query Videos($after: String) {
    videos(first: 6, after: $after, filter: { statuses: [COMPLETED] }) {
      __typename
      ... on VideoConnection {
        nodes { id prompt url posterUrl durationSeconds }
        pageInfo { hasNextPage endCursor }
      }
      ... on LipsyncError { code message retryable retryAfterSeconds }
    }
  }
`);

type Selection = {
  chosen: ChosenVideo | null;
  onChoose: (video: ChosenVideo) => void;
};

type Props = {
  draft: Draft;
  change: Change;
  problem: string | undefined;
  onChoose: (video: ChosenVideo) => void;
};

/** The source video: a listed one, newest first, an uploaded file, or one on the web. */
export function VideoPicker({ draft, change, problem, onChoose }: Props) {
  const { video: chosen, videoNote } = draft;
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <fieldset className={classes.field} aria-describedby={problem && 'video-problem'}>
      <legend className={classes.legend}>Video</legend>
      <div className={classes.grid}>
        {pages.map((after, index) => (
          <VideoPage
            key={after}
            after={after}
            isFirst={index === 0}
            onMore={
              index === pages.length - 1 ? (cursor) => setPages([...pages, cursor]) : undefined
            }
            chosen={chosen}
            onChoose={onChoose}
          />
        ))}
      </div>
      <VideoUpload draft={draft} change={change} onChoose={onChoose} />
      {videoNote !== null && (
        <Alert color="orange" role="status" mt="sm">
          {videoNote}
        </Alert>
      )}
      {chosen !== null && chosen.isArriving !== true && (
        <Group gap={6} wrap="nowrap" mt="sm" c="var(--mantine-primary-color-text)">
          <Icon name="check" />
          <Text size="sm" fw={600} truncate role="status">
            {chosen.name} is selected
          </Text>
        </Group>
      )}
      {problem !== undefined && (
        <Input.Error id="video-problem" mt="xs" size="sm">
          {problem}
        </Input.Error>
      )}
    </fieldset>
  );
}

type PageProps = Selection & {
  after: string | null;
  isFirst: boolean;
  /** Loads the next page. Only the last page has it. */
  onMore: ((cursor: string) => void) | undefined;
};

function VideoPage({ after, isFirst, onMore, chosen, onChoose }: PageProps) {
  const [{ data, error, fetching }, refetch] = useQuery({
    query: videosQuery,
    variables: { after },
    requestPolicy: 'cache-and-network',
  });
  const retry = () => refetch({ requestPolicy: 'network-only' });
  const steps = { TRY_AGAIN: { label: 'Try again', act: retry } };
  if (data === undefined) {
    if (fetching) return <LoadingVideos />;
    return (
      <div className={classes.wide}>
        <FailureNotice notice={explainQueryError(error)} steps={steps} />
      </div>
    );
  }
  const { videos } = data;
  if (videos.__typename !== 'VideoConnection') {
    return (
      <div className={classes.wide}>
        <FailureNotice notice={explainFailure(videos)} steps={steps} />
      </div>
    );
  }
  const { nodes, pageInfo } = videos;
  const { endCursor, hasNextPage } = pageInfo;
  return (
    <>
      {nodes.map((video, index) => (
        <VideoChoice
          key={video.id}
          video={video}
          isChosen={chosen?.id === video.id}
          takesFocus={!isFirst && index === 0}
          onChoose={() =>
            onChoose({ source: 'LISTED', id: video.id, name: video.prompt ?? 'Untitled' })
          }
        />
      ))}
      {isFirst && nodes.length === 0 && !hasNextPage && (
        <Text className={classes.wide} c="dimmed">
          No videos yet. Upload one to start.
        </Text>
      )}
      {onMore !== undefined && hasNextPage && endCursor !== null && (
        <Group className={classes.wide} justify="center">
          <Button variant="subtle" onClick={() => onMore(endCursor)}>
            Show more videos
          </Button>
        </Group>
      )}
    </>
  );
}

function LoadingVideos() {
  return (
    <>
      {['a', 'b', 'c'].map((name) => (
        <Skeleton key={name} className={classes.loading} aria-hidden="true" />
      ))}
      <output className={classes.wide}>
        <Text c="dimmed" size="sm">
          <Icon name="film" size={14} /> Loading videos…
        </Text>
      </output>
    </>
  );
}
