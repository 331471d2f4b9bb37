import cytoscape from 'cytoscape';
import type { Core, ElementDefinition } from 'cytoscape';
import { useEffect, useRef } from 'react';

import { hue } from './format';
import type { Statement, Thing } from './graphOf';

interface Properties {
  statements: Statement[];
  chosen: string | null;
  choose: (id: string | null) => void;
}

/** Edges from which on only those of what is chosen say their predicate. */
const CROWD = 120;

/** A layout moves every pair of nodes in each step: so many pairs it moves, and in so many steps. */
const PAIRS = 2e7;
const MOST_STEPS = 700;
const LEAST_STEPS = 80;

/** Entities and the relations between them, drawn; a click chooses one. */
export function Canvas({ statements, chosen, choose }: Properties) {
  const element = useRef<HTMLDivElement>(null);
  const drawing = useRef<Core | null>(null);
  const isMoved = useRef(false);

  useEffect(() => {
    if (!element.current) return;
    const core = cytoscape({
      container: element.current,
      style: STYLE,
      minZoom: 0.1,
      maxZoom: 4,
      wheelSensitivity: 0.3,
    });
    core.on('tap', (event) => {
      choose(event.target === core ? null : (event.target as { id: () => string }).id());
    });
    core.on('dragpan scrollzoom pinchzoom', () => {
      isMoved.current = true;
    });
    drawing.current = core;
    return () => {
      drawing.current = null;
      core.destroy();
    };
  }, [choose]);

  useEffect(() => {
    const core = drawing.current;
    if (!core) return;
    const isFirst = core.elements().empty();
    const changed = replace(core, elements(statements));
    core.container()?.setAttribute('data-edges', String(core.edges().length));
    if (!changed) return;
    core.elements().toggleClass('named', core.edges().length <= CROWD);
    const nodes = core.nodes().length;
    core
      .layout({
        name: 'cose',
        animate: false,
        randomize: isFirst,
        // Where a user has moved or zoomed it stays.
        fit: isFirst || !isMoved.current,
        numIter: Math.min(MOST_STEPS, Math.max(LEAST_STEPS, PAIRS / nodes ** 2)),
        nodeDimensionsIncludeLabels: true,
      })
      .run();
  }, [statements]);

  useEffect(() => {
    const core = drawing.current;
    if (!core) return;
    core.elements().unselect().removeClass('near');
    if (chosen === null) return;
    const found = core.getElementById(chosen);
    found.select();
    found.connectedEdges().addClass('near');
  }, [chosen, statements]);

  return (
    <div
      ref={element}
      className="canvas"
      role="img"
      aria-label="The entities and the relations between them; the list beside says the same"
    />
  );
}

/** Adds what is new, removes what is gone, and says whether anything was. */
function replace(core: Core, wanted: ElementDefinition[]): boolean {
  const before = core.elements().length;
  const ends = new Map(wanted.map((it) => [it.data.id, endsOf(it.data)]));
  let added: ElementDefinition[] = [];
  core.batch(() => {
    // An edge keeps its ends for ever: with others it is another one.
    const gone = core.elements().filter((it) => ends.get(it.id()) !== endsOf(it.data()));
    gone.remove();
    // With a node its edges are gone too.
    added = wanted.filter((it) => core.getElementById(it.data.id ?? '').empty());
    for (const it of wanted) core.getElementById(it.data.id ?? '').data(it.data);
    core.add(added);
  });
  return added.length > 0 || core.elements().length !== before;
}

function endsOf(data: ElementDefinition['data']): string {
  return data['source'] === undefined ? 'node' : `${data['source']} ${data['target']}`;
}

function elements(statements: Statement[]): ElementDefinition[] {
  const things = new Map<string, { thing: Thing; degree: number }>();
  const count = (thing: Thing) => {
    const known = things.get(thing.id) ?? { thing, degree: 0 };
    things.set(thing.id, { thing, degree: known.degree + 1 });
  };
  const edges: ElementDefinition[] = [];
  for (const { id, predicate, subject, object } of statements) {
    count(subject);
    if (object === null) continue;
    count(object);
    edges.push({ group: 'edges', data: { id, source: subject.id, target: object.id, predicate } });
  }
  const nodes = [...things.values()].map(({ thing, degree }): ElementDefinition => {
    const type = thing.types[0] ?? '';
    const size = 14 + 6 * Math.sqrt(degree);
    return {
      group: 'nodes',
      data: { id: thing.id, name: thing.name, size, colour: `hsl(${hue(type)}, 55%, 52%)` },
    };
  });
  // An edge whose ends are not there yet would be refused.
  return [...nodes, ...edges];
}

const STYLE: cytoscape.StylesheetJson = [
  {
    selector: 'node',
    style: {
      width: 'data(size)',
      height: 'data(size)',
      label: 'data(name)',
      'background-color': 'data(colour)',
      'font-size': 10,
      color: '#888',
      'text-max-width': '120px',
      'text-wrap': 'ellipsis',
      'min-zoomed-font-size': 6,
    },
  },
  {
    selector: 'edge',
    style: {
      width: 1,
      'curve-style': 'bezier',
      'line-color': '#8886',
      'target-arrow-color': '#8886',
      'target-arrow-shape': 'triangle',
      'arrow-scale': 0.7,
    },
  },
  {
    selector: 'edge.named, edge.near, edge:selected',
    style: {
      label: 'data(predicate)',
      'font-size': 8,
      color: '#888',
      'text-rotation': 'autorotate',
      'min-zoomed-font-size': 6,
    },
  },
  {
    selector: ':selected, edge.near',
    style: { 'line-color': '#d62', 'target-arrow-color': '#d62' },
  },
  {
    selector: 'node:selected',
    style: { 'border-width': 3, 'border-color': '#d62', 'font-weight': 'bold' },
  },
];
