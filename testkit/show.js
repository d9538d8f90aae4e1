'use strict';
// A run on a canvas: lanes are rows, steps go to the right. Only what is in view is drawn.
const D = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const N = 0, AT = 1, LANE = 2, CAUSE = 3, TYPE = 4, TEXT = 5;
const E = D.events, byN = new Map();
E.forEach((e, i) => byN.set(e[N], i));
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isNetwork = i => D.lanes[E[i][LANE]].kind === 'network';
const nodeOf = group => group.replace(/@\d+$/, '');

// sender is the step that a step comes of, seen through the links between: -1 where there is none here.
function sender(i) {
	let c = byN.get(E[i][CAUSE]);
	while (c !== undefined && isNetwork(c) && !S.network) c = byN.get(E[c][CAUSE]);
	return c === undefined ? -1 : c;
}

const S = {
	from: 0, to: E.length || 1, scroll: 0, network: false, quiet: true, axis: 'steps', causes: 'mark',
	filter: '', node: '', client: '', chosen: -1, chain: new Set(), past: new Set(), rows: [], row: new Map(),
};
const left = 250, rowHigh = 20, headHigh = 22;

// x is where a step is on the axis: its place, or its time.
const T0 = E.length ? E[0][AT] : 0, T1 = E.length ? E[E.length - 1][AT] : 1;
const span = Math.max(1, T1 - T0);
const pos = i => S.axis === 'steps' ? i + .5 : (E[i][AT] - T0) / span * E.length;
function firstAt(p) { // the first step at or after a place of the axis
	let a = 0, b = E.length;
	while (a < b) { const m = a + b >> 1; if (pos(m) < p) a = m + 1; else b = m; }
	return a;
}
const X = (p, w) => left + (p - S.from) / (S.to - S.from) * (w - left);
const indexOfStep = n => { // the step of that number, or the last before it
	if (byN.has(n)) return byN.get(n);
	let a = 0, b = E.length;
	while (a < b) { const m = a + b >> 1; if (E[m][N] <= n) a = m + 1; else b = m; }
	return Math.max(0, a - 1);
};

// causesOf finds the messages that led to a step, and all that can have had a part in it.
function causesOf(i) {
	S.chain = new Set(); S.past = new Set();
	if (i < 0) return;
	for (let c = i; c >= 0 && !S.chain.has(c); c = sender(c)) S.chain.add(c);
	const before = new Int32Array(E.length).fill(-1), last = new Map();
	E.forEach((e, k) => { const p = last.get(e[LANE]); if (p !== undefined) before[k] = p; last.set(e[LANE], k); });
	const todo = [i];
	while (todo.length) {
		const k = todo.pop();
		if (k < 0 || S.past.has(k)) continue;
		S.past.add(k);
		const c = byN.get(E[k][CAUSE]);
		if (c !== undefined) todo.push(c);
		// A folded lane is many actors: one of them says nothing of the next.
		if (!D.lanes[E[k][LANE]].name.endsWith('/…')) todo.push(before[k]);
	}
}

const word = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
let matches = () => true, lanesMatch = () => true;
function refilter() {
	const f = S.filter.toLowerCase(), c = S.client && new RegExp('\\b' + word(S.client) + '(?![\\w])');
	const laneHas = l => (!f || (l.group + '/' + l.name).toLowerCase().includes(f));
	lanesMatch = l => !S.node || nodeOf(l.group) === S.node || l.group === '';
	matches = i => {
		const e = E[i], l = D.lanes[e[LANE]];
		if (!lanesMatch(l)) return false;
		if (f && !laneHas(l) && !D.types[e[TYPE]].toLowerCase().includes(f) && !String(e[TEXT]).toLowerCase().includes(f)) return false;
		if (c && !c.test(e[TEXT]) && !c.test(l.name)) return false;
		return S.causes !== 'only' || S.chain.has(i) || S.past.has(i);
	};
	layout();
}

// layout chooses the rows: lanes with steps that match, in view or anywhere.
function layout() {
	const has = new Set();
	const a = S.quiet ? firstAt(S.from) : 0, b = S.quiet ? firstAt(S.to) : E.length;
	for (let i = a; i < b; i++) if (!has.has(E[i][LANE]) && matches(i)) has.add(E[i][LANE]);
	for (const m of D.marks) {
		if (m.lane < 0) continue;
		const p = pos(indexOfStep(m.step)), q = !m.fault ? p : m.until ? pos(indexOfStep(m.until)) : Infinity;
		if ((!S.quiet || q >= S.from && p <= S.to) && (!S.client || D.lanes[m.lane].name === 'client ' + S.client)) has.add(m.lane);
	}
	if (S.chosen >= 0) has.add(E[S.chosen][LANE]);
	const rank = l => (l.kind === 'world' ? '0' : '1') + l.group + (l.kind === 'network' ? '\x01' : '\x00') + l.name;
	const list = [...has].filter(k => S.network || D.lanes[k].kind !== 'network').sort((p, q) => rank(D.lanes[p]) < rank(D.lanes[q]) ? -1 : 1);
	S.rows = []; S.row = new Map();
	let group = null;
	for (const k of list) {
		const g = D.lanes[k].kind === 'world' ? 'the world' : D.lanes[k].group || 'nobody';
		if (g !== group) { S.rows.push({ head: g }); group = g; }
		S.row.set(k, S.rows.length);
		S.rows.push({ lane: k });
	}
	S.scroll = Math.max(0, Math.min(S.scroll, S.rows.length * rowHigh - view.clientHeight + headHigh + 10));
	draw();
}

const view = $('view'), over = $('over');
function fit(c) {
	const r = devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight;
	if (c.width !== w * r || c.height !== h * r) { c.width = w * r; c.height = h * r; }
	const g = c.getContext('2d');
	g.setTransform(r, 0, 0, r, 0, 0);
	g.clearRect(0, 0, w, h);
	return [g, w, h];
}
const Y = row => headHigh + row * rowHigh + rowHigh / 2 - S.scroll;
const sec = ns => (ns / 1e9).toFixed(ns % 1e9 === 0 ? 0 : 3).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '') + 's';

let waiting = false;
function draw() { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; paint(); }); } }

function paint() {
	const [g, w, h] = fit(view);
	const C = { text: css('--text'), soft: css('--soft'), line: css('--line'), band: css('--band'), dot: css('--dot'), far: css('--far'), bad: css('--bad'),
		past: css('--past'), fault: css('--fault'), faultline: css('--faultline'), back: css('--back') };
	g.font = '12px system-ui, sans-serif';
	g.textBaseline = 'middle';
	const shownRow = r => Y(r) > headHigh - rowHigh && Y(r) < h + rowHigh;
	S.rows.forEach((r, k) => {
		if (!shownRow(k)) return;
		if (r.head !== undefined) { g.fillStyle = C.band; g.fillRect(0, Y(k) - rowHigh / 2, w, rowHigh); return; }
		g.strokeStyle = C.line; g.beginPath(); g.moveTo(left, Y(k)); g.lineTo(w, Y(k)); g.stroke();
	});
	bands(g, w, h, C);
	ticks(g, w, h, C);
	g.save(); g.beginPath(); g.rect(left, headHigh, w - left, h); g.clip();
	arrows(g, w, h, C);
	dots(g, w, h, C);
	notes(g, w, C);
	for (const v of D.violations) {
		const x = X(pos(indexOfStep(v.step)), w);
		g.strokeStyle = C.bad; g.lineWidth = 1.5; g.setLineDash([5, 3]); g.beginPath(); g.moveTo(x, headHigh); g.lineTo(x, h); g.stroke(); g.setLineDash([]); g.lineWidth = 1;
	}
	g.restore();
	g.fillStyle = C.back; g.fillRect(0, headHigh, left - 4, h);
	S.rows.forEach((r, k) => {
		if (!shownRow(k)) return;
		if (r.head !== undefined) {
			g.fillStyle = C.band; g.fillRect(0, Y(k) - rowHigh / 2, left, rowHigh);
			g.fillStyle = C.text; g.font = 'bold 12px system-ui, sans-serif'; g.fillText(r.head, 8, Y(k)); g.font = '12px system-ui, sans-serif';
			return;
		}
		const name = D.lanes[r.lane].name, most = 36;
		g.fillStyle = S.chosen >= 0 && E[S.chosen][LANE] === r.lane ? C.dot : C.soft;
		g.fillText(name.length > most ? '…' + name.slice(1 - most) : name, 16, Y(k));
	});
	g.fillStyle = C.back; g.fillRect(0, 0, left, headHigh);
	g.fillStyle = C.soft; g.fillText(`${Math.max(0, firstAt(S.to) - firstAt(S.from))} steps in view`, 8, headHigh / 2);
	overview(C);
}

function ticks(g, w, h, C) {
	g.fillStyle = C.back; g.fillRect(left, 0, w - left, headHigh);
	g.fillStyle = C.soft;
	let lastX = -1e9;
	const a = firstAt(S.from), b = firstAt(S.to);
	const every = Math.max(1, Math.floor((b - a) / Math.max(1, (w - left) / 110)));
	for (let i = a; i < b; i += every) {
		const x = X(pos(i), w);
		if (x < lastX + 105) continue;
		lastX = x;
		g.fillText(`${sec(E[i][AT])} #${E[i][N]}`, x + 3, headHigh / 2);
		g.fillRect(x, headHigh - 6, 1, 6);
	}
}

function bands(g, w, h, C) {
	for (const m of D.marks) {
		if (!m.fault) continue;
		const a = X(pos(indexOfStep(m.step)), w), b = m.until ? X(pos(indexOfStep(m.until)), w) : w;
		if (b < left || a > w) continue;
		let top = Infinity, bottom = -Infinity;
		S.rows.forEach((r, k) => {
			const of = r.head !== undefined ? nodeOf(r.head) : nodeOf(D.lanes[r.lane].group);
			if (m.lane >= 0 ? r.lane === m.lane : of === m.group) { top = Math.min(top, Y(k) - rowHigh / 2); bottom = Math.max(bottom, Y(k) + rowHigh / 2); }
		});
		if (top > bottom) continue;
		const x = Math.max(left, a);
		g.fillStyle = C.fault; g.fillRect(x, Math.max(headHigh, top), Math.max(2, Math.min(w, b) - x), bottom - Math.max(headHigh, top));
		if (top >= headHigh - rowHigh) { g.fillStyle = C.faultline; g.fillText(m.text, x + 4, top + rowHigh / 2); }
	}
}

const strength = i => S.causes === 'off' || S.chain.size === 0 ? 1 : S.chain.has(i) ? 2 : S.past.has(i) ? 1 : 0;

function arrows(g, w, h, C) {
	const a = firstAt(S.from), b = firstAt(S.to), dense = (b - a) / (w - left) > 1.2;
	for (const level of [0, 1, 2]) for (let i = a; i < b; i++) {
		if (strength(i) !== level || dense && level < 2 || !matches(i)) continue;
		const c = sender(i);
		if (c < 0) continue;
		const r1 = S.row.get(E[c][LANE]), r2 = S.row.get(E[i][LANE]);
		if (r1 === undefined || r2 === undefined || r1 === r2 && level < 2) continue;
		const far = nodeOf(D.lanes[E[c][LANE]].group) !== nodeOf(D.lanes[E[i][LANE]].group);
		g.globalAlpha = [.12, .55, 1][level];
		g.strokeStyle = g.fillStyle = level === 2 ? C.bad : far ? C.far : C.dot;
		g.lineWidth = level === 2 ? 2 : 1;
		const x1 = Math.max(X(pos(c), w), left - 40), x2 = X(pos(i), w), y1 = Y(r1), y2 = Y(r2);
		g.beginPath(); g.moveTo(x1, y1); g.lineTo(x2, y2); g.stroke();
		if (!dense && (b - a) < 600) {
			const t = Math.atan2(y2 - y1, x2 - x1);
			g.beginPath(); g.moveTo(x2, y2); g.lineTo(x2 - 8 * Math.cos(t - .4), y2 - 8 * Math.sin(t - .4)); g.lineTo(x2 - 8 * Math.cos(t + .4), y2 - 8 * Math.sin(t + .4)); g.fill();
		}
	}
	g.globalAlpha = 1; g.lineWidth = 1;
}

function dots(g, w, h, C) {
	const a = firstAt(S.from), b = firstAt(S.to), wide = (w - left) / Math.max(1, b - a), small = Math.max(1.2, Math.min(4, wide / 3));
	for (let i = a; i < b; i++) {
		if (!matches(i)) continue;
		const r = S.row.get(E[i][LANE]);
		if (r === undefined) continue;
		const x = X(pos(i), w), y = Y(r), s = strength(i);
		if (y < 0 || y > h + rowHigh) continue;
		g.globalAlpha = s === 0 ? .3 : 1;
		g.fillStyle = s === 2 && S.chain.size ? C.bad : s === 1 && S.past.size && S.causes !== 'off' ? C.past : C.dot;
		g.beginPath(); g.arc(x, y, s === 2 && S.chain.size ? Math.max(3, small) : small, 0, 7); g.fill();
		if (i === S.chosen) { g.globalAlpha = 1; g.strokeStyle = C.text; g.lineWidth = 2; g.beginPath(); g.arc(x, y, 7, 0, 7); g.stroke(); g.lineWidth = 1; }
		if (wide > 90 && D.types[E[i][TYPE]]) { g.fillStyle = C.text; g.fillText(D.types[E[i][TYPE]].replace(/^.*\./, '').slice(0, Math.floor(wide / 7)), x + 7, y - 6); }
	}
	g.globalAlpha = 1;
}

function notes(g, w, C) {
	for (const m of D.marks) {
		const r = m.lane >= 0 ? S.row.get(m.lane) : undefined;
		if (r === undefined) continue;
		const x = X(pos(indexOfStep(m.step)) + .2, w);
		if (x < left || x > w) continue;
		g.fillStyle = C.far; g.fillRect(x - 2.5, Y(r) - 5, 5, 10);
	}
}

function overview(C) {
	const [g, w, h] = fit(over);
	const bins = new Uint32Array(Math.max(1, Math.floor((w - left) / 2)));
	const at = i => Math.min(bins.length - 1, Math.floor(pos(i) / Math.max(1, E.length) * bins.length));
	for (let i = 0; i < E.length; i++) { // what goes from node to node says more than what goes on in each
		if (!matches(i)) continue;
		const c = sender(i);
		if (c >= 0 && D.lanes[E[c][LANE]].group !== D.lanes[E[i][LANE]].group) bins[at(i)]++;
	}
	const top = Math.max(1, ...bins), x = p => left + p / Math.max(1, E.length) * (w - left);
	for (const m of D.marks) if (m.fault) {
		g.fillStyle = C.fault;
		const a = x(pos(indexOfStep(m.step))), b = m.until ? x(pos(indexOfStep(m.until))) : w;
		g.fillRect(a, 0, Math.max(2, b - a), h);
	}
	g.fillStyle = C.dot;
	bins.forEach((n, k) => { const high = n / top * (h - 14); g.fillRect(left + 2 * k, h - high, 1.5, high); });
	for (const v of D.violations) { g.fillStyle = C.bad; g.fillRect(x(pos(indexOfStep(v.step))) - 1, 0, 2, h); }
	g.strokeStyle = C.text; g.lineWidth = 1.5; g.strokeRect(x(S.from), 1, Math.max(4, x(S.to) - x(S.from)), h - 2); g.lineWidth = 1;
	g.fillStyle = C.soft; g.font = '12px system-ui, sans-serif'; g.textBaseline = 'middle'; g.fillText(D.part ? 'this part of the run' : 'the whole run', 8, h / 2);
}
