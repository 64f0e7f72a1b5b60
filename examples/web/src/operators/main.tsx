import '@fontsource-variable/figtree/wght.css';
import '../mantine.ts';
import '../page.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Operators } from './operators.tsx';

const root = document.querySelector('#root');
if (root === null) throw new Error('The page has no #root.');
createRoot(root).render(
  <StrictMode>
    <Operators />
  </StrictMode>,
);
