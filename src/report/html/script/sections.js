// Sections: a head that is always there, and a body that is there while it is near the window.
// So the number of nodes depends on the window, not on the difference.

/** Rows of a page, by the number of columns, so that a page has about as many cells. */
const CELLS = 600;
const MOST_COLUMNS = 40;
const ENTRIES = 10;

function signNode(sign) {
  const [className, glyph, word] = SIGNS[sign];
  return [className, el('span', '', glyph), el('span', 'quiet', ` ${word}`)];
}

/** `+3 −1 ~2`, with the words for who cannot see the signs. */
function countNodes(counts) {
  const node = el('span', 'counts');
  for (const [sign, count] of counts) {
    if (count === 0) continue;
    const [className, glyph, word] = SIGNS[sign];
    const one = el('span', className, `${glyph}${number(count)}`, el('span', 'quiet', ` ${word} `));
    one.title = `${number(count)} ${word}`;
    node.append(one);
  }
  return node;
}

const tableCounts = (table) => [['+', table.inserted], ['-', table.deleted], ['~', table.updated]];
const tableTotal = (table) => table.inserted + table.deleted + table.updated;

const pageSize = (s) => (s.isSchema ? ENTRIES : Math.min(50, Math.max(10, Math.floor(CELLS / s.table.columns.length))));
const pageCount = (s) => Math.max(1, Math.ceil(shown(s) / pageSize(s)));

function sectionHead(s) {
  const toggle = button('', () => setOpen(s, !s.open), 'toggle');
  put(toggle, s.name || '""');
  toggle.setAttribute('aria-controls', `${s.id}-body`);
  toggle.id = `${s.id}-head`;
  const head = el('div', 'card-head', el('h2', '', toggle));
  if (s.isSchema) {
    head.append(el('span', 'soft', counted(meta.schema.changes, 'change')));
  } else {
    if (s.table.change) head.append(el('span', s.table.change === 'created' ? 'chip good' : 'chip bad', `table ${s.table.change}`));
    head.append(countNodes(tableCounts(s.table)));
    const key = s.table.key.map((index) => s.table.columns[index].name);
    const words = el('span', 'soft');
    put(words, key.length ? `by ${key.join(', ')}` : 'no key: equal rows are counted');
    head.append(words);
  }
  if (s.table && meta.pack) head.append(...packChip(s.table));
  if (s.match) head.append(el('span', 'chip', `${number(s.match.length)} match`));
  return head;
}

const packed = new Map((meta.pack?.tables ?? []).map((table) => [table.name, table]));

/** Where the pack changes other rows of a table than differ: what it does. Rows of tables that are
 * made or dropped may go with the table. */
function packChip(table) {
  const runs = packed.get(table.name) ?? { inserted: 0, deleted: 0, updated: 0 };
  if (table.change === 'dropped' || tableCounts(table).every(([, count], i) => count === tableCounts(runs)[i][1])) return [];
  const chip = el('span', 'chip warn', 'the pack runs ', tableTotal(runs) === 0 ? 'none of it' : countNodes(tableCounts(runs)));
  return [chip];
}

/** The section's node; its body is filled by `refresh`. */
function shell(s) {
  const body = el('div', 'card-body');
  body.id = `${s.id}-body`;
  s.node = el('section', 'card', sectionHead(s), body);
  s.node.id = s.id;
  s.node.setAttribute('aria-labelledby', `${s.id}-head`);
  s.body = body;
  s.isFilled = false;
  body.style.minHeight = `${Math.min(shown(s), pageSize(s)) * 30}px`;
  refresh(s);
  return s.node;
}

/** Brings the body to what is open, near and asked for. */
function refresh(s, isStale = false) {
  s.node.querySelector('.toggle').setAttribute('aria-expanded', String(s.open));
  s.body.hidden = !s.open;
  const isWanted = s.open && s.near;
  if (isWanted && (!s.isFilled || isStale)) {
    const focused = s.body.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    s.body.replaceChildren(...bodyNodes(s));
    s.body.style.minHeight = '';
    s.isFilled = true;
    if (focused) s.body.querySelector(`[data-act="${CSS.escape(focused)}"]:enabled`)?.focus({ preventScroll: true });
  } else if (!isWanted && s.isFilled && !s.body.contains(document.activeElement)) {
    s.body.style.minHeight = `${s.body.offsetHeight}px`;
    s.body.replaceChildren();
    s.isFilled = false;
  }
}

function setOpen(s, isOpen) {
  s.open = isOpen;
  if (s.node) refresh(s);
}

function turn(s, page) {
  const wanted = Math.min(pageCount(s) - 1, Math.max(0, page));
  if (wanted === s.page) return;
  s.page = wanted;
  refresh(s, true);
  if (s.node.getBoundingClientRect().top < 0) s.node.scrollIntoView();
}

function bodyNodes(s) {
  s.page = Math.min(s.page, pageCount(s) - 1);
  const first = s.page * pageSize(s);
  const places = [];
  for (let i = first; i < Math.min(shown(s), first + pageSize(s)); i++) places.push(itemAt(s, i));
  const nodes = s.isSchema ? [el('div', '', ...places.map(entryNode))] : rowNodes(s, places);
  const pager = pagerNode(s, first, places.length);
  if (pager) nodes.push(pager);
  if (s.table) {
    const left = tableTotal(s.table) - s.table.written;
    if (left > 0) {
      nodes.push(el('p', 'note', `${counted(left, 'more row')} of this table ${left === 1 ? 'is' : 'are'} counted here, and not shown; all of them: diff --format jsonl.`));
    }
  }
  return nodes;
}

function pagerNode(s, first, count) {
  if (pageCount(s) < 2) return null;
  const what = s.isSchema ? 'objects' : 'rows';
  const turner = (text, label, page) => {
    const node = button(text, () => turn(s, page));
    node.setAttribute('aria-label', label);
    node.dataset.act = label;
    node.disabled = page < 0 || page >= pageCount(s);
    return node;
  };
  const input = el('input');
  Object.assign(input, { type: 'number', min: 1, max: pageCount(s), value: s.page + 1 });
  input.setAttribute('aria-label', `Page of ${s.name}`);
  input.dataset.act = 'page';
  input.addEventListener('change', () => turn(s, Math.trunc(Number(input.value) || 1) - 1));
  const words = `${what} ${number(first + 1)}–${number(first + count)} of ${number(shown(s))}`;
  return el('div', 'pager', turner('‹ Previous', 'Previous page', s.page - 1), 'page', input,
    `of ${number(pageCount(s))}`, turner('Next ›', 'Next page', s.page + 1), el('span', 'push soft', words));
}

// ------------------------------------------------------------------------------------ rows

/** The columns that are shown: those of the key first. Of many, those follow in which something
 * changed on this page, and then the others, if they are wanted or have something to show. */
function shownColumns(s, rows) {
  const { columns, key } = s.table;
  const others = columns.map((_, index) => index).filter((index) => !key.includes(index));
  if (columns.length <= 8) return [key, others];
  const [changed, used] = [new Set(), new Set()];
  for (const row of rows) {
    if (row[0] === '~') Object.keys(row[2] ?? {}).forEach((index) => changed.add(Number(index)));
    else row[2].forEach((cell, index) => cell !== null && !isNothing(cell) && used.add(index));
  }
  const first = others.filter((index) => changed.has(index));
  const rest = others.filter((index) => !changed.has(index) && (s.allColumns || used.has(index)));
  return [key, [...first, ...rest]];
}

function rowNodes(s, rows) {
  const [key, wanted] = shownColumns(s, rows);
  const nodes = [];
  const room = Math.max(1, MOST_COLUMNS - key.length);
  const pages = Math.max(1, Math.ceil(wanted.length / room));
  s.columnPage = Math.min(s.columnPage, pages - 1);
  const others = wanted.slice(s.columnPage * room, (s.columnPage + 1) * room);
  const hidden = s.table.columns.length - key.length - wanted.length;
  if (hidden > 0 || s.allColumns || pages > 1) nodes.push(columnBar(s, hidden, pages, wanted.length, room));
  const shownKey = key.slice(0, MOST_COLUMNS);
  const table = el('table', 'rows', columnHeads(s, shownKey, others));
  table.append(el('tbody', '', ...rows.map((row) => rowNode(row, shownKey, others))));
  const box = el('div', 'box', table);
  // A box that scrolls must be reachable by keys.
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', `Rows of ${s.name}`);
  nodes.push(box);
  return nodes;
}

function columnBar(s, hidden, pages, count, room) {
  const bar = el('div', 'note');
  const act = (text, label, isEnabled, change) => {
    const node = button(text, () => { change(); refresh(s, true); });
    node.dataset.act = label;
    node.disabled = !isEnabled;
    return node;
  };
  if (hidden > 0) bar.append(`${counted(hidden, 'column')} without changes on this page `);
  if (hidden > 0 || s.allColumns) {
    bar.append(act(s.allColumns ? 'changed columns only' : 'show all columns', 'columns', true, () => { s.allColumns = !s.allColumns; }), ' ');
  }
  if (pages > 1) {
    const first = s.columnPage * room;
    bar.append(act('‹', 'columns back', s.columnPage > 0, () => s.columnPage--),
      ` columns ${number(first + 1)}–${number(Math.min(count, first + room))} of ${number(count)} `,
      act('›', 'columns on', s.columnPage < pages - 1, () => s.columnPage++));
  }
  return bar;
}

function columnHeads(s, key, others) {
  const head = (index, isKey) => {
    const { name, before, after } = s.table.columns[index];
    const node = el('th', isKey ? 'name key' : 'name');
    node.scope = 'col';
    const isOneSided = !s.table.change && (before === null) !== (after === null);
    if (isOneSided) node.append(el('span', before === null ? 'plus' : 'minus', before === null ? '+ ' : '− '));
    put(node, name || '""');
    if (isKey) node.append(' ', el('span', 'tag', 'key'));
    node.title = before === after || before === null || after === null ? before ?? after : `${before} → ${after}`;
    return node;
  };
  const sign = el('th', 'sign', el('span', 'quiet', 'change'));
  return el('thead', '', el('tr', '', sign, ...key.map((i) => head(i, true)), ...others.map((i) => head(i, false))));
}

function rowNode(row, key, others) {
  const isUpdate = row[0] === '~';
  const cells = isUpdate ? row[1] : row[2];
  const olds = isUpdate ? row[2] : {};
  const [className, glyph, word] = signNode(row[0]);
  const sign = el('td', 'sign', glyph, word);
  if (!isUpdate && row[1] !== 1) sign.append(el('span', 'tag', ` ×${number(row[1])}`));
  const cell = (index, isKey) => {
    const old = olds === null ? undefined : olds[index];
    if (old !== undefined) return el('td', isKey ? 'key' : '', ...pairNodes(old, cells[index]));
    return el('td', isKey ? 'key' : isUpdate ? 'same' : '', valueNode(cells[index]));
  };
  const kinds = { plus: 'ins', minus: 'del', tilde: 'upd' };
  return el('tr', kinds[className], sign, ...key.map((i) => cell(i, true)), ...others.map((i) => cell(i, false)));
}

// ---------------------------------------------------------------------------------- schema

function entryNode(entry) {
  const [className, glyph] = SIGNS[entry.sign];
  const toggle = button('', () => setEntry(toggle.getAttribute('aria-expanded') !== 'true'), 'toggle');
  // An object that came or went is told in its line.
  const isWhole = entry.facts.length === 1 && entry.facts[0][2].length === 0 && entry.facts[0][0] === entry.sign;
  toggle.append(el('span', className, glyph, ' '), el('span', 'soft', entry.kind.replaceAll('-', ' '), ' '));
  put(toggle, entry.name);
  if (isWhole) toggle.append(put(el('span', 'soft parts'), entry.parts ? ` (${entry.parts})` : ''));
  const node = el('div', 'entry', toggle);
  const setEntry = (isOpen) => {
    toggle.setAttribute('aria-expanded', String(isOpen));
    while (node.lastChild !== toggle) node.lastChild.remove();
    if (isOpen) node.append(...entryBody(entry, isWhole));
  };
  setEntry(true);
  return node;
}

const MOST_FACTS = 60;
const LONGEST_DETAIL = 120;

function entryBody(entry, isWhole) {
  const facts = el('ul', 'facts');
  for (const [sign, words, details] of entry.facts.slice(0, MOST_FACTS)) {
    const line = el('li', '', el('span', SIGNS[sign][0], `${SIGNS[sign][1]} `));
    put(line, words);
    // What is long, a query or a body, is read better in the text below.
    const isTold = (detail) => entry.before !== null && entry.after !== null && detail.length > LONGEST_DETAIL;
    details.filter((detail) => !isTold(detail)).forEach((detail) => line.append(put(el('div', 'detail'), detail)));
    facts.append(line);
  }
  if (entry.facts.length > MOST_FACTS) facts.append(el('li', 'soft', `… and ${number(entry.facts.length - MOST_FACTS)} more`));
  const nodes = isWhole ? [] : [facts];
  if (entry.before === null && entry.after === null) return nodes;
  nodes.push(ddlNode(entry.before, entry.after));
  if (entry.cut) nodes.push(el('p', 'note', `The text is long (${counted(entry.cut, 'byte')}) and shortened here.`));
  return nodes;
}
