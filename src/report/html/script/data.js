// The data of the page: blocks of JSON in the document, each parsed when something of it is
// shown or searched. Nothing here touches what is displayed.

const byId = (id) => document.getElementById(id);
const meta = JSON.parse(byId('meta').textContent);
const number = (n) => n.toLocaleString('en');
const counted = (n, noun) => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

/** How many parsed blocks are kept. */
const KEPT_BLOCKS = 12;
const parsed = new Map();

/** A list whose items stand in blocks `PREFIX0`, `PREFIX1`, … of the given sizes. */
class Items {
  constructor(prefix, sizes) {
    this.prefix = prefix;
    this.sizes = sizes;
    this.count = 0;
    this.starts = sizes.map((size) => (this.count += size) - size);
  }

  parse(block) {
    return JSON.parse(byId(this.prefix + block).textContent);
  }

  at(index) {
    let [low, high] = [0, this.starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= index) low = middle;
      else high = middle;
    }
    const id = this.prefix + low;
    const items = parsed.get(id) ?? this.parse(low);
    parsed.delete(id);
    parsed.set(id, items);
    if (parsed.size > KEPT_BLOCKS) parsed.delete(parsed.keys().next().value);
    return items[index - this.starts[low]];
  }
}

/** A part of the page that has items: the schema, or a table. `match` holds the indexes of the
 * items that the filter lets through, null where that is all of them. */
function section(id, name, items, more) {
  return { id, name, items, match: null, page: 0, open: true, near: false, node: null, ...more };
}

const shown = (s) => (s.match ? s.match.length : s.items.count);
const itemAt = (s, place) => s.items.at(s.match ? s.match[place] : place);

const sections = [];
if (meta.schema.count > 0) {
  sections.push(section('schema', 'Schema', new Items('s', meta.schema.blocks), { isSchema: true }));
}
meta.tables.forEach((table, index) => {
  const items = new Items(`t${index}-`, table.blocks);
  sections.push(section(`t${index}`, table.name, items, { table, allColumns: false, columnPage: 0 }));
});

// ------------------------------------------------------------------------------ the filter

const filter = { text: '', kinds: new Set('+-~'), run: 0 };
const isFiltered = () => filter.text !== '' || filter.kinds.size < 3;

const hasText = (text) => text.toLowerCase().includes(filter.text);
const hasCell = (cell) => cell !== null && hasText(plain(cell));

function rowMatches(row) {
  if (!filter.kinds.has(row[0])) return false;
  if (filter.text === '') return true;
  const cells = row[0] === '~' ? row[1] : row[2];
  return cells.some(hasCell) || (row[0] === '~' && row[2] !== null && Object.values(row[2]).some(hasCell));
}

function entryMatches(entry) {
  if (!filter.kinds.has(entry.sign)) return false;
  const texts = [entry.name, entry.before ?? '', entry.after ?? ''];
  return texts.some(hasText) || entry.facts.some(([, words, details]) => [words, ...details].some(hasText));
}

const pause = () => new Promise((resume) => setTimeout(resume, 0));

/** Looks through everything, a little at a time; a newer search ends an older one. `onProgress`
 * gets the share that is done. */
async function search(onProgress) {
  const run = ++filter.run;
  let sliceEnd = performance.now() + 12;
  let done = 0;
  const all = sections.reduce((sum, s) => sum + s.items.sizes.length, 0) || 1;
  for (const s of sections) {
    // A table that is named is wanted with all of its rows.
    const isNamed = s.table && filter.text !== '' && hasText(s.name);
    if (!isFiltered() || (isNamed && filter.kinds.size === 3)) {
      s.match = null;
      done += s.items.sizes.length;
      continue;
    }
    const matches = s.isSchema ? entryMatches : isNamed ? (row) => filter.kinds.has(row[0]) : rowMatches;
    const found = [];
    for (let block = 0; block < s.items.sizes.length; block++) {
      const start = s.items.starts[block];
      const items = s.items.parse(block);
      for (let i = 0; i < items.length; i++) {
        if (matches(items[i])) found.push(start + i);
        if ((i & 63) === 63 && performance.now() > sliceEnd) {
          onProgress(done / all);
          await pause();
          if (run !== filter.run) return false;
          sliceEnd = performance.now() + 12;
        }
      }
      done++;
    }
    s.match = found;
  }
  return true;
}
