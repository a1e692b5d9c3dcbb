// Cells as text and as nodes. A value becomes text nodes and nothing else, whatever it holds.

/** An element with a class, and children that are nodes or text. */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null));
  return node;
}

function button(text, onClick, className) {
  const node = el('button', className, text);
  node.type = 'button';
  node.addEventListener('click', onClick);
  return node;
}

const SIGNS = { '+': ['plus', '+', 'inserted'], '-': ['minus', '−', 'deleted'], '~': ['tilde', '~', 'updated'] };

function hex(base64) {
  const bytes = atob(base64);
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += bytes.charCodeAt(i).toString(16).padStart(2, '0');
  return `x'${text}'`;
}

/** What a cell is: `text`, `int`, …, as its member is named in JSON. */
function kindOf(cell) {
  if (cell === null) return 'NULL';
  if (typeof cell === 'object') return cell.cut !== undefined ? kindOf(cell.cut) : Object.keys(cell)[0] ?? '';
  return { string: 'text', number: 'int', boolean: 'bool' }[typeof cell];
}

/** The text of a cell, unquoted; bytes in hexadecimal. */
function plain(cell) {
  if (cell === null) return 'NULL';
  if (typeof cell !== 'object') return String(cell);
  const kind = Object.keys(cell)[0];
  switch (kind) {
    case undefined: case '0': case 'absent': case 'unknown': return '';
    case 'cut': return plain(cell.cut);
    case 'base64': return hex(cell.base64);
    case 'raw_text': return `${cell.raw_text.charset} ${hex(cell.raw_text.base64)}`;
    default: return cell[kind];
  }
}

const isNothing = (cell) => cell !== null && typeof cell === 'object'
  && (Array.isArray(cell) || cell.absent !== undefined || cell.unknown !== undefined);

/** Text that could be taken for another value, or for none, stands in quotes. */
function isAmbiguous(text) {
  return text.trim() !== text || text === '' || /^x?'/.test(text) || /^(null|true|false)$/i.test(text)
    || (/^[-+.\d]|^[-+]?(inf|nan)/i.test(text) && !Number.isNaN(Number(text.replace(/^([-+]?)inf(inity)?$/i, '$1Infinity'))))
    || /^nan$/i.test(text);
}

function quoted(cell) {
  const text = plain(cell);
  const isText = kindOf(cell) === 'text' && cell.cut === undefined;
  return isText && isAmbiguous(text) ? `'${text.replaceAll("'", "''")}'` : text;
}

// What would hide, reorder or end a line is shown by its number.
const ODD = /[\u0000-\u0009\u000b-\u001f\u007f-\u00a0\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufeff\ufff0-\uffff\u{e0000}-\u{e0fff}]+|\n/gu;
const MOST_MARKS = 40;

function escaped(run) {
  const names = { '\t': '\\t', '\r': '\\r' };
  return [...run].map((c) => names[c] ?? `\\u{${c.codePointAt(0).toString(16)}}`).join('');
}

/** Appends text, odd characters made visible; lines stay lines. */
function put(parent, text) {
  let [end, marks] = [0, 0];
  for (const found of text.matchAll(ODD)) {
    if (marks++ === MOST_MARKS) break;
    parent.append(text.slice(end, found.index));
    const isLine = found[0] === '\n';
    parent.append(el('span', 'odd', isLine ? '↵' : escaped(found[0])), isLine ? '\n' : '');
    end = found.index + found[0].length;
  }
  parent.append(text.slice(end).replace(ODD, (run) => (run === '\n' ? run : escaped(run))));
  return parent;
}

/** Where two texts begin to differ and where, from the end, they stop: whole characters. */
function common(a, b) {
  const most = Math.min(a.length, b.length);
  let start = 0;
  while (start < most && a[start] === b[start]) start++;
  if (start > 0 && /[\ud800-\udbff]/.test(a[start - 1])) start--;
  let end = 0;
  while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  if (end > 0 && /[\udc00-\udfff]/.test(a[a.length - end])) end--;
  return [start, end];
}

/** How much of a value is shown until somebody asks for the rest. */
const SHOWN = 200;
const AROUND = 60;

/** Appends a text from `first` to `last`, with these parts of it marked. */
function putMarked(node, text, ranges, first, last) {
  let at = first;
  for (const [from, to] of ranges) {
    const [a, b] = [Math.max(from, at), Math.min(to, last)];
    if (b <= a) continue;
    put(node, text.slice(at, a));
    node.append(put(el('mark'), text.slice(a, b)));
    at = b;
  }
  put(node, text.slice(at, last));
}

/** A value as a node, with parts of it marked; what is long is cut around the first of them. */
function valueNode(cell, ranges = [], kind = null) {
  if (isNothing(cell)) {
    const node = el('span', 'null', cell.absent ? 'no such column' : cell.unknown ? 'not stored' : '·');
    if (Array.isArray(cell)) node.title = 'unchanged, and not in this page';
    return node;
  }
  if (cell === null) return el('span', 'null', 'NULL');
  const text = quoted(cell);
  const node = el('span', 'value');
  node.dir = 'auto';
  const isCut = typeof cell === 'object' && cell.cut !== undefined;
  const unit = isCut && (kindOf(cell) === 'base64' || kindOf(cell) === 'raw_text') ? 'byte' : 'character';
  const start = ranges.length ? Math.max(0, Math.min(ranges[0][0] - AROUND, text.length - SHOWN)) : 0;
  const fill = (isWhole) => {
    const [first, last] = isWhole ? [0, text.length] : [start, Math.min(text.length, start + SHOWN)];
    node.replaceChildren(first > 0 || (isCut && cell.at > 0) ? '…' : '');
    putMarked(node, text, ranges, first, last);
    if (last < text.length || isCut) node.append('…');
    if (isCut) node.append(' ', el('span', 'tag', `${counted(cell.length, unit)}, shortened`));
    if (text.length > SHOWN) {
      const more = isCut ? 'more' : `all ${number(text.length)}`;
      node.append(' ', button(isWhole ? 'less' : more, () => fill(!isWhole), 'more'));
    }
  };
  fill(false);
  if (kind) node.append(' ', el('span', 'tag', kind));
  return node;
}

const wordsOf = (text) => text.match(/[\p{L}\p{N}\p{M}_]+|\s+|[^\p{L}\p{N}\p{M}_\s]/gu) ?? [];

/** Which parts of two texts differ: words, or else what lies between a common beginning and end. */
function differing(a, b) {
  if (Math.max(a.length, b.length) <= LONGEST_BY_WORDS) {
    const [mine, theirs] = [wordsOf(a), wordsOf(b)];
    const pairs = equalPlaces(mine, theirs, 1 << 16);
    const kept = pairs.reduce((sum, [i]) => sum + mine[i].trim().length, 0);
    if (3 * kept >= Math.min(a.length, b.length)) {
      return [unkept(mine, pairs.map(([i]) => i)), unkept(theirs, pairs.map(([, j]) => j))];
    }
  }
  const [start, end] = common(a, b);
  if (3 * (start + end) < Math.min(a.length, b.length)) return [[], []];
  return [[[start, a.length - end]], [[start, b.length - end]]];
}

const LONGEST_BY_WORDS = 1200;

/** The ranges of a text whose words are at none of these places. */
function unkept(words, places) {
  const kept = new Set(places);
  const ranges = [];
  let at = 0;
  words.forEach((word, i) => {
    const end = at + word.length;
    if (!kept.has(i)) {
      if (ranges.at(-1)?.[1] === at) ranges.at(-1)[1] = end;
      else ranges.push([at, end]);
    }
    at = end;
  });
  // Too many small ones say nothing.
  return ranges.length > MOST_MARKS ? [[ranges[0][0], ranges.at(-1)[1]]] : ranges;
}

/** A cell before and after. */
function pairNodes(before, after) {
  const [a, b] = [quoted(before), quoted(after)];
  const areValues = ![before, after].some((cell) => cell === null || isNothing(cell));
  const kinds = areValues && a === b ? [kindOf(before), kindOf(after)] : [null, null];
  const isText = areValues && a !== b && Math.max(a.length, b.length) > 8;
  const ranges = isText ? differing(a, b) : [[], []];
  const side = (tag, word, cell, i) =>
    el(tag, 'side', el('span', 'quiet', `${word}: `), valueNode(cell, ranges[i], kinds[i]));
  return [side('del', 'before', before, 0), side('ins', 'after', after, 1)];
}
