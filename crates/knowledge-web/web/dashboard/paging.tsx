// Lists that are read a page at a time.

import { useState } from 'react';

/** What says where a page stands among the others. */
export interface PageInfo {
  hasNextPage: boolean;
  endCursor: string | null;
}

interface Pages {
  /** After which cursor the page begins; `null` for the first. */
  after: string | null;
  /** Back to the first page. */
  restart: () => void;
  /** Buttons to the pages beside this one, where there are any. */
  buttons: (info: PageInfo | undefined, names: { back: string; on: string }) => React.ReactNode;
}

export function usePages(): Pages {
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return {
    after: pages.at(-1) ?? null,
    restart: () => setPages([null]),
    buttons: (info, { back, on }) => {
      const next = info?.hasNextPage ? info.endCursor : null;
      return (
        <p className="pager">
          {pages.length > 1 && <button onClick={() => setPages(pages.slice(0, -1))}>{back}</button>}
          {next !== null && <button onClick={() => setPages([...pages, next])}>{on}</button>}
        </p>
      );
    },
  };
}
