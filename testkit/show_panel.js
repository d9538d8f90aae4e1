// What is beside the canvas, and what a pointer and keys do.
function pretty(text) { // breaks a message into lines by its braces
	let out = '', deep = 0, quoted = false;
	for (let k = 0; k < text.length; k++) {
		const c = text[k];
		if (c === '"' && text[k - 1] !== '\\') quoted = !quoted;
		if (quoted) { out += c; continue; }
		if (c === '{') { deep++; out += text[k + 1] === '}' ? '{' : '{\n' + '  '.repeat(deep); } else if (c === '}') { deep = Math.max(0, deep - 1); out += text[k - 1] === '{' ? '}' : '\n' + '  '.repeat(deep) + '}'; } else if (c === ' ' && /^[A-Za-z_]\w*:/.test(text.slice(k + 1, k + 60))) out += '\n' + '  '.repeat(deep); else out += c;
	}
	// Fields that say nothing are left out, so that the others are seen.
	return out.split('\n').filter(line => !/^\s*\w+:(nil|""|\[\])$/.test(line)).join('\n');
}
const whose = i => { const l = D.lanes[E[i][LANE]]; return (l.group ? l.group + '/' : '') + l.name; };
const saying = i => D.types[E[i][TYPE]] || (isNetwork(i) ? 'on its way' : E[i][TEXT] ? '' : 'a job');

const element = (tag, text, add) => { const e = document.createElement(tag); if (text) e.textContent = text; return Object.assign(e, add); };
function link(i) {
	const a = element('a', `#${E[i][N]} ${saying(i)} at ${whose(i)}`, { href: '#step=' + E[i][N] });
	return a;
}

function panel() {
	const p = $('panel');
	p.replaceChildren();
	if (S.chosen < 0) { p.append(element('p', 'Point at a message, or choose one with a click.', { className: 'soft' })); return; }
	const i = S.chosen, e = E[i];
	p.append(element('h2', `Step ${e[N]}: ${saying(i)}`), element('div', `${sec(e[AT])}, at ${whose(i)}`, { className: 'soft' }));
	for (const v of D.violations) if (indexOfStep(v.step) === i) p.append(element('pre', `${v.invariant}\n${v.text}`, { style: 'color: var(--bad)' }));
	const c = sender(i);
	const from = element('div', c < 0 ? (e[CAUSE] ? `comes of step ${e[CAUSE]}, which is not here` : 'comes of the test itself') : 'comes of ');
	if (c >= 0) from.append(link(c));
	p.append(from);
	const next = [];
	for (let k = i + 1; k < E.length && next.length < 30; k++) if (!(isNetwork(k) && !S.network) && sender(k) === i) next.push(k);
	if (next.length) {
		const list = element('ul');
		for (const k of next) { const li = element('li'); li.append(link(k)); list.append(li); }
		p.append(element('div', 'leads to'), list);
	}
	const said = D.marks.filter(m => m.step === e[N]);
	for (const m of said) p.append(element('div', `${D.lanes[m.lane] ? D.lanes[m.lane].name : m.group}: ${m.text}`));
	p.append(element('pre', pretty(String(e[TEXT]))));
	const chain = [...S.chain].sort((a, b) => a - b);
	if (chain.length > 1) {
		p.append(element('h2', `The ${chain.length} messages that led to it`));
		const list = element('ul');
		for (const k of chain.slice(-60)) { const li = element('li'); li.append(link(k), ` ${sec(E[k][AT])}`); list.append(li); }
		p.append(list);
	}
}

function choose(i, move) {
	S.chosen = i;
	causesOf(i);
	if (i >= 0) {
		if (location.hash !== '#step=' + E[i][N]) history.replaceState(null, '', '#step=' + E[i][N]);
		const p = pos(i);
		if (move && (p < S.from || p > S.to)) { const half = (S.to - S.from) / 2; look(p - half, p + half, true); }
	}
	panel(); refilter();
	if (i >= 0) { // its row in view
		const r = S.row.get(E[i][LANE]);
		if (r !== undefined && (Y(r) < headHigh + 10 || Y(r) > view.clientHeight - 20)) { S.scroll += Y(r) - view.clientHeight / 2; layout(); }
	}
}

function look(from, to, silent) {
	const size = Math.max(Math.min(to - from, E.length), Math.min(5, E.length || 1));
	S.from = Math.max(0, Math.min(from, E.length - size));
	S.to = S.from + size;
	if (!silent) layout();
}
function zoom(by, at) { const p = at === undefined ? (S.from + S.to) / 2 : at; look(p - (p - S.from) * by, p + (S.to - p) * by); }
const place = x => S.from + (x - left) / (view.clientWidth - left) * (S.to - S.from);

function near(x, y) { // the step at a point
	const row = S.rows[Math.floor((y - headHigh + S.scroll) / rowHigh)];
	if (!row || row.lane === undefined) return -1;
	const w = view.clientWidth, a = firstAt(place(x - 12)), b = firstAt(place(x + 12));
	let best = -1, least = 12;
	for (let i = a; i < b; i++) {
		if (E[i][LANE] !== row.lane || !matches(i)) continue;
		const d = Math.abs(X(pos(i), w) - x);
		if (d < least) { least = d; best = i; }
	}
	return best;
}
function noteNear(x, y) {
	const row = S.rows[Math.floor((y - headHigh + S.scroll) / rowHigh)];
	if (!row || row.lane === undefined) return [];
	return D.marks.filter(m => m.lane === row.lane && Math.abs(X(pos(indexOfStep(m.step)) + .2, view.clientWidth) - x) < 5);
}

function tip(ev, text) {
	const t = $('tip');
	if (!text) { t.style.display = 'none'; return; }
	t.textContent = text; t.style.display = 'block';
	const box = $('field').getBoundingClientRect();
	t.style.left = Math.max(4, Math.min(ev.clientX - box.left + 14, box.width - t.offsetWidth - 8)) + 'px';
	const y = ev.clientY - box.top;
	t.style.top = (y + 16 + t.offsetHeight > box.height ? Math.max(2, y - t.offsetHeight - 12) : y + 16) + 'px';
}

let drag = null;
view.addEventListener('pointerdown', ev => { drag = { x: ev.clientX, y: ev.clientY, from: S.from, to: S.to, scroll: S.scroll, moved: false }; view.setPointerCapture(ev.pointerId); });
view.addEventListener('pointermove', ev => {
	const box = view.getBoundingClientRect(), x = ev.clientX - box.left, y = ev.clientY - box.top;
	if (drag) {
		const d = (drag.x - ev.clientX) / (view.clientWidth - left) * (drag.to - drag.from);
		drag.moved = drag.moved || Math.abs(ev.clientX - drag.x) + Math.abs(ev.clientY - drag.y) > 4;
		S.scroll = drag.scroll + drag.y - ev.clientY;
		if (drag.moved) look(drag.from + d, drag.to + d);
		return;
	}
	const i = near(x, y), marks = noteNear(x, y);
	if (i >= 0) tip(ev, `step ${E[i][N]}, ${sec(E[i][AT])}, ${whose(i)}\n${saying(i)} ${pretty(String(E[i][TEXT]))}`);
	else if (marks.length) tip(ev, marks.map(m => `after step ${m.step}, ${sec(m.at)}: ${m.text}`).join('\n'));
	else tip(ev);
});
view.addEventListener('pointerup', ev => {
	const box = view.getBoundingClientRect();
	if (drag && !drag.moved) choose(near(ev.clientX - box.left, ev.clientY - box.top));
	drag = null;
});
view.addEventListener('pointerleave', ev => tip(ev));
view.addEventListener('wheel', ev => {
	ev.preventDefault();
	if (ev.shiftKey || Math.abs(ev.deltaX) > Math.abs(ev.deltaY)) { const d = (ev.deltaX || ev.deltaY) / 600 * (S.to - S.from); look(S.from + d, S.to + d); return; }
	if (ev.altKey) { S.scroll += ev.deltaY; layout(); return; }
	zoom(Math.exp(ev.deltaY / 500), place(ev.clientX - view.getBoundingClientRect().left));
}, { passive: false });
function goTo(ev) { const w = over.clientWidth, p = (ev.offsetX - left) / (w - left) * E.length, half = (S.to - S.from) / 2; look(p - half, p + half); }
over.addEventListener('pointerdown', goTo);
over.addEventListener('pointermove', ev => { if (ev.buttons) goTo(ev); });

function beside(by) { // the next or former step of the lane that matches
	let i = S.chosen < 0 ? firstAt(S.from) : S.chosen + by;
	while (i >= 0 && i < E.length && (!matches(i) || S.chosen >= 0 && E[i][LANE] !== E[S.chosen][LANE])) i += by;
	if (i >= 0 && i < E.length) choose(i, true);
}
addEventListener('keydown', ev => {
	if (ev.target.matches('input, select')) return;
	const keys = {
		ArrowRight: () => beside(1), ArrowLeft: () => beside(-1), c: () => { const c = S.chosen < 0 ? -1 : sender(S.chosen); if (c >= 0) choose(c, true); },
		v: () => toViolation(0), '+': () => zoom(.6), '-': () => zoom(1.7), 0: () => look(0, E.length), Escape: () => choose(-1),
	};
	if (keys[ev.key] && !ev.ctrlKey && !ev.metaKey) { ev.preventDefault(); keys[ev.key](); }
});

function toViolation(k) {
	const v = D.violations[k];
	if (!v) return;
	const i = indexOfStep(v.step), half = Math.min(60, E.length / 2);
	look(pos(i) - 1.6 * half, pos(i) + .4 * half, true);
	choose(i);
}
function toHash() {
	const m = /^#step=(\d+)$/.exec(location.hash);
	if (!m || !E.length) return false;
	const i = indexOfStep(+m[1]);
	if (S.to - S.from > 400) { const half = 60; look(pos(i) - half, pos(i) + half, true); }
	choose(i, true);
	return true;
}

function begin() {
	$('about').textContent = `${D.steps} steps, to ${sec(T1)}${D.part && E.length ? `, of which ${E[0][N]} to ${E[E.length - 1][N]} are here` : ''}${D.options.length ? '; ' + D.options.join(', ') : ''}`;
	const bad = $('bad');
	D.violations.forEach((v, k) => {
		const b = element('button', '', { onclick: () => toViolation(k) });
		b.append(element('b', v.invariant), ` in step ${v.step}, found at ${sec(v.at)}: ${v.text.split('\n')[0].slice(0, 300)}`);
		bad.append(b);
	});
	if (!D.violations.length) { bad.textContent = 'Nothing was violated.'; bad.className = 'none'; }
	const options = (id, all, none) => { $(id).append(element('option', none, { value: '' })); for (const o of all) $(id).append(element('option', o, { value: o })); };
	options('node', [...new Set(D.lanes.map(l => nodeOf(l.group)).filter(Boolean))].sort(), 'all nodes');
	options('client', [...new Set(D.lanes.filter(l => l.kind === 'world' && l.name.startsWith('client ')).map(l => l.name.slice(7)))].sort(), 'all clients');
	const bind = (id, key, field) => { $(id)[field] = S[key]; $(id).addEventListener('input', () => { S[key] = $(id)[field]; if (key === 'network') causesOf(S.chosen); panel(); refilter(); }); };
	bind('filter', 'filter', 'value'); bind('node', 'node', 'value'); bind('client', 'client', 'value'); bind('causes', 'causes', 'value');
	bind('network', 'network', 'checked'); bind('quiet', 'quiet', 'checked');
	$('axis').addEventListener('input', () => { // what is in view stays there
		const a = firstAt(S.from), b = Math.min(E.length - 1, firstAt(S.to));
		S.axis = $('axis').value;
		look(pos(a), pos(b));
	});
	$('in').onclick = () => zoom(.6); $('out').onclick = () => zoom(1.7); $('all').onclick = () => look(0, E.length);
	addEventListener('resize', layout);
	addEventListener('hashchange', toHash);
	refilter(); panel();
	if (!toHash()) { if (D.violations.length) toViolation(0); else if (E.length > 400) look(E.length - 200, E.length); }
	document.documentElement.dataset.ready = 'yes'; // for tests
}
begin();
