// Draws the charts that the page lists, in the page's colors: anew when these or the width change.
(() => {
	'use strict';
	const specs = JSON.parse(document.getElementById('charts').textContent);
	const colors = {};
	const readColors = () => {
		const style = getComputedStyle(document.documentElement);
		for (const name of ['text', 'soft', 'line', 'card', 'a', 'b', 'good', 'dim', 'band']) {
			colors[name] = style.getPropertyValue('--' + name).trim();
		}
	};

	// How numbers are written.
	const digits = (x) => String(Number(x.toPrecision(3)));
	const duration = (s) => {
		if (s === 0) return '0';
		if (s < 0) return '\u2212' + duration(-s);
		if (s < 1e-3) return digits(s * 1e6) + ' µs';
		if (s < 1) return digits(s * 1e3) + ' ms';
		if (s < 120) return digits(s) + ' s';
		return s < 7200 ? digits(s / 60) + ' min' : digits(s / 3600) + ' h';
	};
	const clock = (s) => {
		const [h, m, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, Math.round((s % 60) * 10) / 10];
		return [[h, 'h'], [m, 'm'], [rest, 's']].filter(([n]) => n).map(([n, u]) => n + u).join('') || '0s';
	};
	const number = (x) => x.toLocaleString('en', {maximumSignificantDigits: 4}).replaceAll(',', '\u202f');
	const write = {clock, duration, number, share: (x) => Number((100 * x).toPrecision(4)) + '%'};

	const element = (name, text, className) => {
		const e = document.createElement(name);
		if (text !== undefined) e.textContent = text;
		if (className) e.className = className;
		return e;
	};

	// A small picture of how a series looks, for the legend and for what the pointer shows.
	const swatch = (s) => {
		const ns = 'http' + '://www.w3.org/2000/svg';
		const svg = document.createElementNS(ns, 'svg');
		const add = (name, attributes) => {
			const e = document.createElementNS(ns, name);
			for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
			svg.append(e);
		};
		for (const [key, value] of Object.entries({width: 26, height: 12, viewBox: '0 0 26 12', 'aria-hidden': 'true'})) svg.setAttribute(key, value);
		const color = 'var(--' + s.color + ')';
		const kind = s.kind || 'line';
		if (kind === 'range') add('rect', {x: 1, y: 2, width: 24, height: 8, fill: color, opacity: 0.35});
		if (kind === 'line' || kind === 'path') {
			add('line', {x1: 0, x2: 26, y1: 6, y2: 6, stroke: color, 'stroke-width': s.wide ? 4 : 2.5, 'stroke-dasharray': {dashed: '7 4', dotted: '2 3'}[s.dash] || 'none'});
		}
		if (kind === 'points' || kind === 'path') {
			const looks = {fill: s.hollow ? 'var(--card)' : color, stroke: color, 'stroke-width': 1.5};
			if (s.symbol === 'diamond') add('path', {d: 'M13 0L19 6L13 12L7 6Z', ...looks});
			else if (s.symbol === 'triangle') add('path', {d: 'M13 2L18 11L8 11Z', ...looks});
			else if (s.symbol === 'rect') add('rect', {x: 9.5, y: 2.5, width: 7, height: 7, ...looks});
			else add('circle', {cx: 13, cy: 6, r: 4, ...looks});
		}
		return svg;
	};

	const axis = (a, narrow) => ({
		type: a.log ? 'log' : 'value', splitNumber: narrow ? 3 : 5,
		boundaryGap: [0, '12%'], min: a.min ?? undefined, max: a.max ?? (a.unit === 'share' ? (v) => (v.max + 0.12 * (v.max - v.min) > 1 ? 1 : null) : undefined), scale: !!a.fit, minInterval: a.whole ? 1 : undefined,
		interval: a.step ? a.step * (narrow ? 2 : 1) : undefined,
		axisLabel: {color: colors.soft, hideOverlap: true, formatter: write[a.unit], showMaxLabel: a.step ? false : undefined},
		nameTextStyle: {color: colors.soft},
		axisLine: {show: true, onZero: false, lineStyle: {color: colors.line}},
		axisTick: {show: true, lineStyle: {color: colors.line}},
		splitLine: {lineStyle: {color: colors.line, opacity: 0.6}},
		minorTick: {show: !!a.log}, minorSplitLine: {show: false},
		axisPointer: {lineStyle: {color: colors.soft}, label: {show: false}},
	});

	const series = (spec) => spec.series.map((s) => {
		const color = colors[s.color];
		const points = s.kind === 'points';
		return {
			name: s.name, type: points ? 'scatter' : 'line', step: s.steps ? 'end' : undefined, cursor: 'default',
			data: s.points.map((p) => ({value: [p.x, p.y ?? '-'], t: p.t})),
			symbol: s.symbol || 'none', symbolSize: s.size || 4, showSymbol: s.kind === 'path', showAllSymbol: true, z: s.symbol === 'diamond' ? 7 : s.hollow ? 6 : s.kind === 'path' ? 5 : points ? 4 : 3,
			color, silent: s.kind === 'range',
			areaStyle: s.fill ? {color, opacity: 0.22} : undefined,
			lineStyle: s.kind === 'range' ? {color, width: 11, opacity: 0.35, cap: 'butt'} : {color, width: s.wide ? 4 : s.color === 'soft' ? 1.5 : 2, type: s.dash || 'solid'},
			itemStyle: s.hollow ? {color: colors.card, borderColor: color, borderWidth: 2, opacity: 1} : {color, borderColor: colors.card, borderWidth: points || s.size > 6 ? 1 : 0, opacity: 1},
			emphasis: {disabled: !spec.item, scale: 1.3}, large: false,
		};
	});

	// Where on an axis a value is: 0 at its start, 1 at its end.
	const position = (a, x) => {
		const on = a.log ? Math.log : (v) => v;
		return a.max === undefined ? 0 : (on(x) - on(a.min ?? 0)) / (on(a.max) - on(a.min ?? 0));
	};

	// Faults and moments lie behind the lines, on a series that has no data.
	const background = (spec) => ({
		name: '', type: 'line', data: [], silent: true, tooltip: {show: false}, z: 1,
		markArea: {
			silent: true, itemStyle: {color: colors.band}, label: {color: colors.soft, position: 'insideTop', fontSize: 12},
			data: (spec.bands || []).map((b) => [{name: b.name, xAxis: b.from}, {xAxis: b.to}]),
		},
		markLine: {
			silent: true, symbol: 'none', animation: false,
			data: (spec.marks || []).map((m, i) => ({
				name: m.name, [m.y ? 'yAxis' : 'xAxis']: m.at, lineStyle: {color: colors[m.color || 'soft'], type: 'dashed', width: 1.5},
				label: {
					formatter: '{b}', color: colors[m.color || 'soft'], fontSize: 12, rotate: 0,
					position: m.y ? 'insideStartTop' : spec.y.categories ? 'start' : 'end', distance: m.y ? 3 : (spec.y.name ? 20 : 4) + 15 * i,
					align: !m.y && position(spec.x, m.at) > 0.75 ? 'right' : undefined,
				},
			})),
		},
	});

	const tooltip = (spec) => ({
		trigger: spec.item ? 'item' : 'axis', confine: true, className: 'tip', backgroundColor: colors.card, borderColor: colors.line,
		textStyle: {color: colors.text, fontSize: 13}, transitionDuration: 0, padding: [6, 9],
		formatter: (got) => {
			const box = element('div');
			if (spec.item) {
				(got.data.t || []).forEach((line, i) => box.append(element(i ? 'div' : 'b', line)));
				return box;
			}
			const list = got.filter((p) => p.seriesName);
			if (!list.length) return '';
			box.append(element('b', write[spec.x.unit](list[0].value[0])));
			for (const p of list) {
				const row = element('div', undefined, 'row');
				const y = p.value[1];
				const s = spec.series.find((s) => s.name === p.seriesName);
				row.append(swatch(s), element('span', p.seriesName), element('b', typeof y === 'number' ? write[spec.y.unit](y) : '–'));
				box.append(row);
			}
			return box;
		},
	});

	const options = (spec, width) => {
		const narrow = width < 520;
		const x = {...axis(spec.x, narrow), name: spec.x.name, nameLocation: 'middle', nameGap: 28};
		let y = {...axis(spec.y, narrow), name: spec.y.name, nameLocation: 'end', nameGap: 10};
		y.nameTextStyle = {...y.nameTextStyle, align: 'left', padding: [0, 0, 0, 0]};
		if (spec.y.categories) {
			y = {
				type: 'category', data: spec.y.categories, inverse: true, axisTick: {show: false}, axisLine: {show: true, lineStyle: {color: colors.line}},
				axisLabel: {color: colors.text, interval: 0, width: narrow ? 110 : 220, overflow: 'break', lineHeight: 13, fontSize: narrow ? 11 : 12},
				splitLine: {show: true, lineStyle: {color: colors.line, opacity: 0.6}},
			};
		}
		const above = (spec.marks || []).filter((m) => !m.y).length;
		return {
			animation: false, textStyle: {fontFamily: getComputedStyle(document.body).fontFamily, color: colors.text},
			aria: {enabled: false}, legend: {show: false},
			grid: {left: 4, right: 18, top: (spec.y.name ? 30 : 12) + (above ? 15 * above : 0), bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel'},
			xAxis: x, yAxis: y, tooltip: tooltip(spec), series: [background(spec), ...series(spec)],
		};
	};

	const charts = [];
	const drawAll = () => {
		readColors();
		for (const c of charts) {
			c.chart.resize();
			c.chart.setOption(options(c.spec, c.chart.getWidth()), {notMerge: true});
			for (const button of c.legend.children) {
				if (button.getAttribute('aria-pressed') === 'false') c.chart.dispatchAction({type: 'legendUnSelect', name: button.textContent});
			}
		}
	};

	for (const spec of specs) {
		const box = document.getElementById('chart-' + spec.id);
		const legend = document.getElementById('legend-' + spec.id);
		if (spec.height) box.style.height = spec.height + 'px';
		const chart = echarts.init(box, null, {renderer: 'svg'});
		for (const s of spec.series) {
			const button = element('button');
			button.type = 'button';
			button.setAttribute('aria-pressed', 'true');
			button.append(swatch(s), element('span', s.name));
			button.addEventListener('click', () => {
				const on = button.getAttribute('aria-pressed') === 'false';
				button.setAttribute('aria-pressed', String(on));
				chart.dispatchAction({type: on ? 'legendSelect' : 'legendUnSelect', name: s.name});
			});
			legend.append(button);
		}
		charts.push({spec, chart, legend});
		if (spec.group) chart.group = spec.group;
	}
	drawAll();

	let width = window.innerWidth;
	window.addEventListener('resize', () => {
		if (window.innerWidth === width) return;
		width = window.innerWidth;
		drawAll();
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
	const printing = (on) => () => {
		document.documentElement.classList.toggle('print', on);
		drawAll();
	};
	window.addEventListener('beforeprint', printing(true));
	window.addEventListener('afterprint', printing(false));
})();
