// Two texts side by side, line by line, with the words that differ.

/** Pairs of equal places in two lists, by their longest common subsequence; lists that are too
 * long for that have none between what they begin and end with. */
function equalPlaces(a, b, most) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [m, n] = [a.length, b.length];
  while (m > start && n > start && a[m - 1] === b[n - 1]) m--, n--;
  const pairs = [];
  for (let i = 0; i < start; i++) pairs.push([i, i]);
  const [rows, columns] = [m - start, n - start];
  if (rows * columns > 0 && rows * columns <= most) {
    const width = columns + 1;
    const best = new Uint16Array((rows + 1) * width);
    for (let i = rows - 1; i >= 0; i--) {
      for (let j = columns - 1; j >= 0; j--) {
        best[i * width + j] = a[start + i] === b[start + j]
          ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
      }
    }
    for (let i = 0, j = 0; i < rows && j < columns;) {
      if (a[start + i] === b[start + j]) pairs.push([start + i++, start + j++]);
      else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
      else j++;
    }
  }
  for (let i = m, j = n; i < a.length; i++, j++) pairs.push([i, j]);
  return pairs;
}

/** Lines as `[left, right]`, where one side may be null; equal lines are on both. */
function lineRows(before, after) {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const rows = [];
  let [i, j] = [0, 0];
  for (const [p, q] of [...equalPlaces(a, b, 1 << 20), [a.length, b.length]]) {
    for (; i < p || j < q; ) rows.push([i < p ? a[i++] : null, j < q ? b[j++] : null]);
    if (p < a.length) rows.push([a[i++], b[j++], true]);
  }
  return rows;
}

/** A line, with the words marked that the other one has not. */
function markedLine(cell, line, other) {
  if (other === null || line.length > 4000 || other.length > 4000) return put(cell, line);
  const [mine, theirs] = [wordsOf(line), wordsOf(other)];
  const kept = equalPlaces(mine, theirs, 1 << 18).map(([place]) => place);
  // Little in common is no change of a line, it is another line.
  const common = kept.filter((place) => mine[place].trim()).length;
  if (3 * common < mine.filter((word) => word.trim()).length) return put(cell, line);
  putMarked(cell, line, unkept(mine, kept), 0, line.length);
  return cell;
}

const CONTEXT = 4;
const MOST_LINES = 200;

/** The texts of an object before and after; where one is missing, the other alone. */
function ddlNode(before, after) {
  const node = el('table', 'ddl');
  const isPair = before !== null && after !== null;
  if (isPair) {
    const heads = [['l', 'before'], ['r', 'after']].map(([side, word]) => {
      const head = el('th', side, word);
      head.scope = 'col';
      return head;
    });
    node.append(el('thead', '', el('tr', '', ...heads)));
  } else {
    node.classList.add('one');
  }
  const only = (text, side) => text.split('\n').map((line) => (side ? [null, line] : [line, null]));
  const rows = isPair ? lineRows(before, after) : only(before ?? after, before === null);
  const cell = (line, other, side, isEqual) => {
    if (line === null) return el('td', `${side} none`);
    const td = el('td', isEqual ? side : `${side} x`);
    return isEqual ? put(td, line) : markedLine(td, line, other);
  };
  const row = ([left, right, isEqual = false]) => {
    const cells = [cell(left, right, 'l', isEqual), cell(right, left, 'r', isEqual)];
    return el('tr', isEqual ? 'eq' : '', ...(isPair ? cells : cells.filter((td) => !td.classList.contains('none'))));
  };
  const body = el('tbody');
  const gap = (hidden, words) => {
    const td = el('td', 'gap');
    if (isPair) td.colSpan = 2;
    const line = el('tr', '', td);
    td.append(button(words, () => line.replaceWith(...hidden.map(row)), 'more'));
    return line;
  };
  for (let i = 0, lines = 0; i < rows.length;) {
    if (lines >= MOST_LINES) {
      body.append(gap(rows.slice(i), `… ${counted(rows.length - i, 'more line')}`));
      break;
    }
    let end = i;
    while (end < rows.length && rows[end][2]) end++;
    const [from, to] = [i === 0 ? 0 : i + CONTEXT, end === rows.length ? end : end - CONTEXT];
    if (to - from > 3) {
      rows.slice(i, from).forEach((r) => body.append(row(r)));
      body.append(gap(rows.slice(from, to), `… ${counted(to - from, 'unchanged line')}`));
      rows.slice(to, end).forEach((r) => body.append(row(r)));
      lines += end - to + from - i;
      i = end;
    } else {
      body.append(row(rows[i++]));
      lines++;
    }
  }
  node.append(body);
  return node;
}
