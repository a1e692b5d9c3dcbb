// The page: what stands at the top, the overview, the list at the side, keys, and the start.

const SECTIONS = 40;
const LINKS = 80;
let sectionPage = 0;
let linkPage = 0;
const main = byId('main');
const side = byId('side');

const wanted = () => sections.filter((s) => !isFiltered() || shown(s) > 0);
const sum = (name) => meta.tables.reduce((total, table) => total + table[name], 0);

// -------------------------------------------------------------------------------- overview

const VERDICTS = { equal: ['good', 'equal'], different: ['warn', 'different'], incomplete: ['bad', 'incomplete'] };

function fillTop() {
  const [className, word] = VERDICTS[meta.verdict] ?? ['', meta.verdict];
  const totals = byId('totals');
  totals.append(el('span', `chip ${className}`, word));
  if (meta.schema.changes > 0) totals.append(el('span', '', counted(meta.schema.changes, 'schema change')));
  if (meta.tables.length > 0) totals.append(el('span', '', counted(meta.tables.length, 'table')));
  totals.append(countNodes([['+', sum('inserted')], ['-', sum('deleted')], ['~', sum('updated')]]));
}

function sideNode(title, told) {
  const list = el('dl');
  const add = (name, value) => {
    if (value) list.append(el('dt', '', name), put(el('dd'), value));
  };
  add('name', told.name);
  add('source', told.source);
  add('server', told.server);
  add('read', told.read_at);
  add('snapshot', told.snapshot);
  add('state', told.state);
  add('author', told.author);
  add('message', told.message);
  if (told.hash_only) add('stored', 'keys and row hashes only, no values');
  list.querySelectorAll('dd').forEach((dd) => {
    if (/^[0-9a-f]{40,}$/.test(dd.textContent)) {
      dd.title = dd.textContent;
      dd.classList.add('mono');
      dd.textContent = dd.textContent.slice(0, 12);
    }
  });
  return el('div', '', el('h3', '', title), list);
}

const LARGEST = 10;

function statNode() {
  const changed = meta.tables.map((table, index) => ({ table, index }));
  const largest = changed.sort((a, b) => tableTotal(b.table) - tableTotal(a.table)).slice(0, LARGEST);
  const most = largest.length ? tableTotal(largest[0].table) : 0;
  const head = ['table', 'inserted', 'deleted', 'updated', ''].map((word) => el('th', '', word));
  const rows = largest.map(({ table, index }) => {
    const link = el('a');
    link.href = `#t${index}`;
    put(link, table.name);
    const meter = el('div', 'meter');
    meter.setAttribute('aria-hidden', 'true');
    for (const [sign, count] of tableCounts(table)) {
      const bar = el('i', SIGNS[sign][0]);
      bar.style.width = `${(100 * count) / most}%`;
      if (count > 0) meter.append(bar);
    }
    const cells = tableCounts(table).map(([sign, count]) => el('td', count ? SIGNS[sign][0] : 'soft', number(count)));
    return el('tr', '', el('td', '', link), ...cells, el('td', '', meter));
  });
  const node = el('table', 'stat', el('thead', '', el('tr', '', ...head)), el('tbody', '', ...rows));
  const more = meta.tables.length - largest.length;
  return [el('h3', '', more > 0 ? `The ${LARGEST} largest of ${number(meta.tables.length)} tables` : 'Tables'), node];
}

function noticeList(items, most = 100) {
  const list = el('ul', 'list', ...items.slice(0, most));
  if (items.length > most) list.append(el('li', 'soft', `… and ${number(items.length - most)} more`));
  return list;
}

function leftOutNode(item) {
  const node = el('li', '', el('span', 'chip warn', item.step), ' ');
  put(node, item.object);
  if (item.rows > 0) node.append(` (${counted(item.rows, 'row')})`);
  node.append(put(el('div', 'why'), item.reason));
  if (item.keys.length) node.append(put(el('div', 'why mono'), item.keys.join('; ')));
  if (item.allow.length) node.append(el('div', '', 'to allow it: ', put(el('code'), item.allow.join(' '))));
  return node;
}

function hazardNode(item) {
  const node = el('li', '', el('span', 'chip bad', item.kind), ' ');
  put(node, item.object || 'the database');
  node.append(put(el('div', 'why'), item.text));
  return node;
}

/** What the change pack does of all this, and what it does not. */
function packNodes(pack) {
  const { inserted, deleted, updated } = pack.rows;
  const runs = el('p', 'counts', `${counted(pack.statements, 'statement')} `, countNodes([['+', inserted], ['-', deleted], ['~', updated]]));
  const whole = pack.complete ? 'When it has run, the target is exactly as the second snapshot.'
    : 'Not all of what is shown here runs: some steps are left out.';
  const nodes = [el('h3', '', 'Change pack'), put(el('p', 'soft'), `Made for ${pack.target}. ${whole}`), runs];
  if (pack.only?.length) nodes.push(put(el('p', 'soft'), `For the rows of these tables only: ${pack.only.join(', ')}.`));
  if (pack.left_out.length) nodes.push(el('h3', '', 'Left out, and how to allow it'), noticeList(pack.left_out.map(leftOutNode)));
  if (pack.kept.length) nodes.push(el('h3', '', 'Kept by strategy'), noticeList(pack.kept.map((item) => leftOutNode({ ...item, allow: [] }))));
  if (pack.hazards.length) nodes.push(el('h3', '', 'To know before'), noticeList(pack.hazards.map(hazardNode)));
  const back = pack.rollback.statements;
  const taken = pack.rollback.taken_back ? `; steps taken back: ${pack.rollback.taken_back}` : '';
  nodes.push(el('p', 'soft', `The way back: ${counted(back, 'statement')} (rollback.sql)${taken}.`));
  return nodes;
}

function overview() {
  const body = el('div', 'pad', el('div', 'sides', sideNode('from', meta.from), sideNode('to', meta.to)));
  const part = (title, list) => body.append(el('h3', '', title), list);
  if (meta.incomplete.length) part('Incomplete', noticeList(meta.incomplete.map((text) => put(el('li'), text))));
  if (meta.pack) body.append(...packNodes(meta.pack));
  if (meta.tables.length) body.append(...statNode());
  if (meta.verdict === 'equal') body.append(el('p', '', 'Nothing differs.'));
  if (meta.not_captured.length) {
    const items = meta.not_captured.map((item) => put(el('li'), `${item.kind} ${item.name}: ${item.reason}${item.unknown ? ' (unknown)' : ''}`));
    body.append(el('details', '', el('summary', '', `${counted(items.length, 'thing')} not captured by the snapshots`), noticeList(items)));
  }
  const left = meta.tables.reduce((total, table) => total + tableTotal(table) - table.written, 0);
  if (left > 0) body.append(el('p', 'soft', `${counted(left, 'row')} are counted and not shown in this page; all of them: diff --format jsonl.`));
  const node = el('section', 'card', body);
  node.id = 'overview';
  return node;
}

// ---------------------------------------------------------------------------------- layout

/** The section that was asked for. For a moment, what is filled above it must not push it away;
 * after that, whoever scrolls means another one. */
let asked = null;
let askedUntil = 0;
const MOMENT = 800;

function ask(node) {
  asked = node;
  askedUntil = performance.now() + MOMENT;
  stay();
}

function stay() {
  if (asked?.isConnected && performance.now() < askedUntil) asked.scrollIntoView();
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const s = sections.find((candidate) => candidate.node === entry.target);
    if (!s) continue;
    s.near = entry.isIntersecting;
    refresh(s);
  }
}, { rootMargin: '500px 0px' });

function paged(count, size, page, onTurn, noun) {
  if (count <= size) return null;
  const turner = (text, to) => {
    const node = button(text, () => onTurn(to));
    node.disabled = to < 0 || to * size >= count;
    return node;
  };
  const words = `${noun} ${number(page * size + 1)}–${number(Math.min(count, (page + 1) * size))} of ${number(count)}`;
  return el('div', 'pager', turner('‹', page - 1), words, turner('›', page + 1));
}

function layout() {
  const list = wanted();
  sectionPage = Math.min(sectionPage, Math.max(0, Math.ceil(list.length / SECTIONS) - 1));
  near.disconnect();
  for (const s of sections) Object.assign(s, { node: null, near: false, isFilled: false });
  const part = list.slice(sectionPage * SECTIONS, (sectionPage + 1) * SECTIONS);
  const nodes = part.map(shell);
  if (isFiltered() && list.length === 0) nodes.push(el('p', 'note', 'Nothing matches the filter.'));
  const pager = paged(list.length, SECTIONS, sectionPage, (page) => { sectionPage = page; layout(); scrollTo(0, 0); }, 'sections');
  main.replaceChildren(...(sectionPage === 0 && !isFiltered() ? [overview()] : []), ...nodes, ...(pager ? [pager] : []));
  part.forEach((s) => near.observe(s.node));
  fillSide(list);
}

function fillSide(list) {
  const link = (id, name, counts) => {
    const label = el('span', 'name');
    put(label, name || '""');
    const node = el('a', '', label, counts);
    node.href = `#${id}`;
    node.title = name;
    return node;
  };
  linkPage = Math.min(linkPage, Math.max(0, Math.ceil(list.length / LINKS) - 1));
  const links = list.slice(linkPage * LINKS, (linkPage + 1) * LINKS).map((s) => {
    const counts = s.match ? el('span', 'soft', number(s.match.length))
      : s.isSchema ? el('span', 'soft', number(meta.schema.count)) : countNodes(tableCounts(s.table));
    return link(s.id, s.name, counts);
  });
  const pager = paged(list.length, LINKS, linkPage, (page) => { linkPage = page; fillSide(wanted()); }, '');
  const firstTable = list.slice(linkPage * LINKS).findIndex((s) => s.table);
  if (firstTable >= 0) links.splice(firstTable, 0, el('h2', '', 'Tables'));
  side.replaceChildren(...(isFiltered() ? [] : [link('overview', 'Overview', null)]), ...links, ...(pager ? [pager] : []));
  markCurrent();
}

/** Shows a section, wherever it is. */
function go(id) {
  const s = sections.find((candidate) => candidate.id === id);
  if (s) {
    const place = wanted().indexOf(s);
    if (place < 0) return;
    s.open = true;
    if (!s.node) {
      sectionPage = Math.floor(place / SECTIONS);
      linkPage = Math.floor(place / LINKS);
      layout();
    }
    s.near = true;
    refresh(s);
    ask(s.node);
    markCurrent();
  } else if (id === 'overview' || id === '') {
    if (sectionPage > 0) { sectionPage = 0; layout(); }
    asked = null;
    scrollTo(0, 0);
  }
  side.classList.remove('open');
  byId('menu').setAttribute('aria-expanded', 'false');
}

/** How much of the window the head covers: where it is small, the title alone stays. */
const headHeight = () => byId('top').offsetHeight || byId('heading').offsetHeight;

/** The section that was asked for last, or else the one at the top of the window. */
function current() {
  if (asked?.isConnected) return asked.id;
  const head = headHeight() + 16;
  const nodes = [...main.children].filter((node) => node.id);
  return nodes.find((node) => node.getBoundingClientRect().bottom > head + 20)?.id ?? nodes.at(-1)?.id;
}

function markCurrent() {
  const id = current();
  for (const link of side.querySelectorAll('a')) {
    const isCurrent = link.hash === `#${id}`;
    if (isCurrent === (link.getAttribute('aria-current') === 'true')) continue;
    link.setAttribute('aria-current', String(isCurrent));
    if (isCurrent) link.scrollIntoView({ block: 'nearest' });
  }
}

// ------------------------------------------------------------------------------ the filter

async function applyFilter() {
  const status = byId('status');
  const isDone = await search((share) => { status.textContent = `Searching … ${Math.floor(100 * share)} %`; });
  if (!isDone) return;
  sections.forEach((s) => { s.page = 0; });
  sectionPage = 0;
  linkPage = 0;
  layout();
  scrollTo(0, 0);
  const tables = sections.filter((s) => s.table);
  const rows = tables.reduce((total, s) => total + shown(s), 0);
  const all = tables.reduce((total, s) => total + s.items.count, 0);
  const schema = sections.find((s) => s.isSchema);
  const objects = schema ? ` and ${number(shown(schema))} of ${counted(schema.items.count, 'schema object')}` : '';
  status.textContent = isFiltered() ? `${number(rows)} of ${counted(all, 'row')}${objects} match` : '';
  document.documentElement.dataset.searched = filter.run;
}

function startFilter() {
  let timer = 0;
  byId('filter').addEventListener('input', (event) => {
    clearTimeout(timer);
    filter.run++;
    filter.text = event.target.value.toLowerCase();
    timer = setTimeout(applyFilter, 150);
  });
  for (const [sign, [className, glyph, word]] of Object.entries(SIGNS)) {
    const node = button('', () => {
      if (!filter.kinds.delete(sign)) filter.kinds.add(sign);
      node.setAttribute('aria-pressed', String(filter.kinds.has(sign)));
      applyFilter();
    });
    node.append(el('span', className, glyph), el('span', 'quiet', ` ${word}`));
    node.title = `Show what is ${word}`;
    node.dataset.kind = sign;
    node.setAttribute('aria-pressed', 'true');
    byId('kinds').append(node);
  }
}

// ----------------------------------------------------------------------- themes, keys, start

const THEMES = ['auto', 'light', 'dark'];

function setTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId('theme').textContent = `◐ ${theme[0].toUpperCase()}${theme.slice(1)}`;
  try {
    localStorage.setItem('deepdiff-theme', theme);
  } catch {
    // A page that was opened from a file may have no storage.
  }
}

function startTheme() {
  let theme = 'auto';
  try {
    theme = localStorage.getItem('deepdiff-theme') ?? 'auto';
  } catch {
    // As above.
  }
  setTheme(THEMES.includes(theme) ? theme : 'auto');
  byId('theme').addEventListener('click', nextTheme);
}

const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? 'auto') + 1) % 3]);

function step(by) {
  const ids = [...(isFiltered() ? [] : ['overview']), ...wanted().map((s) => s.id)];
  const next = ids[ids.indexOf(current()) + by];
  if (next !== undefined) go(next);
}

const here = () => sections.find((s) => s.id === current());

const KEYS = {
  '/': ['filter', () => byId('filter').focus()],
  j: ['next section', () => step(1)],
  k: ['previous section', () => step(-1)],
  n: ['next page of rows', () => here() && turn(here(), here().page + 1)],
  p: ['previous page of rows', () => here() && turn(here(), here().page - 1)],
  x: ['collapse or expand the section', () => here() && setOpen(here(), !here().open)],
  t: ['colours: as the system, light, dark', nextTheme],
  '?': ['these keys', () => byId('keys').showModal()],
};

function startKeys() {
  const list = el('dl', '', ...Object.entries(KEYS).flatMap(([key, [words]]) => [el('dt', '', el('kbd', '', key)), el('dd', '', words)]));
  byId('keys').append(el('h2', '', 'Keys'), list, button('Close', () => byId('keys').close()));
  byId('help').addEventListener('click', KEYS['?'][1]);
  document.addEventListener('keydown', (event) => {
    if (event.target === byId('filter') && event.key === 'Escape') byId('filter').blur();
    const isTyping = /^(input|textarea|select)$/i.test(event.target.tagName);
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || byId('keys').open) return;
    if (!Object.hasOwn(KEYS, event.key)) {
      if (!/^(Shift|Tab)$/.test(event.key)) asked = null;
      return;
    }
    event.preventDefault();
    KEYS[event.key][1]();
  });
}

function startNavigation() {
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || link.classList.contains('skip')) return;
    event.preventDefault();
    history.pushState(null, '', link.hash);
    go(link.hash.slice(1));
  });
  addEventListener('popstate', () => go(location.hash.slice(1)));
  let isWaiting = false;
  addEventListener('scroll', () => {
    if (performance.now() > askedUntil) asked = null;
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; markCurrent(); });
  }, { passive: true });
  byId('menu').addEventListener('click', () => {
    const isOpen = side.classList.toggle('open');
    byId('menu').setAttribute('aria-expanded', String(isOpen));
  });
  for (const [id, isOpen] of [['collapse', false], ['expand', true]]) {
    byId(id).addEventListener('click', () => sections.forEach((s) => setOpen(s, isOpen)));
  }
  const sizes = new ResizeObserver(() => {
    document.documentElement.style.setProperty('--head', `${headHeight()}px`);
  });
  sizes.observe(byId('top'));
  sizes.observe(byId('heading'));
  new ResizeObserver(stay).observe(main);
  for (const event of ['wheel', 'touchstart', 'pointerdown']) {
    addEventListener(event, () => { asked = null; }, { passive: true, capture: true });
  }
}

fillTop();
startTheme();
startFilter();
startKeys();
startNavigation();
layout();
if (location.hash) go(location.hash.slice(1));
document.documentElement.dataset.ready = 'true';
