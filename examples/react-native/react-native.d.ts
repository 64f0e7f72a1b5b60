/** What is used of React Native, which is not installed here. Delete this file in an application. */
declare module 'react-native' {
  import type { ComponentType, ReactNode } from 'react';

  export const Button: ComponentType<{ title: string; onPress: () => void }>;
  export const Text: ComponentType<{ children?: ReactNode }>;
  export const View: ComponentType<{ children?: ReactNode }>;
}
