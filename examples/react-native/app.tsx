// A screen of an Expo app. The app's entry installs the polyfills first.

import type { WatchableServer } from 'lipsync-graphql-client';
import { LipsyncProvider, useMakeLipsync, useUpload } from 'lipsync-graphql-client/react';
import { Button, Text, View } from 'react-native';

export type Recording = { uri: string };

type Props = { server: WatchableServer; videoId: string; recording: Recording };

export function LipsyncScreen({ server, ...rest }: Props) {
  return (
    <LipsyncProvider server={server}>
      <Maker {...rest} />
    </LipsyncProvider>
  );
}

function Maker({ videoId, recording }: Omit<Props, 'server'>) {
  const { state: uploaded, upload } = useUpload<Blob>();
  const { state, make, cancel, retry } = useMakeLipsync();
  const send = async () => {
    const file = await (await fetch(recording.uri)).blob();
    const answer = await upload(file, { kind: 'AUDIO', contentType: 'audio/mp4' });
    if (answer?.__typename !== 'UploadReady') return;
    await make({ video: { videoId }, speech: { uploadId: answer.id } });
  };
  return (
    <View>
      <Button title="Make the video" onPress={() => void send()} />
      {uploaded.kind === 'UPLOADING' && <Text>{Math.round(uploaded.percent ?? 0)} % sent</Text>}
      {uploaded.kind === 'REFUSED' && <Text>{uploaded.failure.message}</Text>}
      {state.kind === 'MAKING' && <Text>{Math.round(state.event?.percent ?? 0)} % made</Text>}
      {state.kind === 'MAKING' && <Button title="Cancel" onPress={() => void cancel()} />}
      {state.kind === 'REFUSED' && <Text>{state.failure.message}</Text>}
      {state.kind === 'ERROR' && <Button title="Connect again" onPress={retry} />}
      {state.kind === 'ENDED' && <Text>{state.end.outcome}</Text>}
    </View>
  );
}
