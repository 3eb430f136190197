# SPDX-License-Identifier: MIT
about="node: maps, buffers, JSON, gzip, worker threads"
policy=chaos,rate=100000

have() { need node nodejs; }
version() { node --version; }

prepare() {
	cat >work.js <<'END'
const { Worker, isMainThread, workerData, parentPort } =
	require('worker_threads');
const zlib = require('zlib'), crypto = require('crypto');
function job(n, seed) {
	const m = new Map(); let h = crypto.createHash('sha256');
	for (let i = 0; i < n; i++) {
		m.set(i, { v: 'x' + i * seed, l: [i, i + 1] });
		if (i % 3) m.delete(i >> 1);
		if (i % 20000 == 0) {
			const j = JSON.stringify([...m.values()].slice(-2000));
			const z = zlib.gunzipSync(zlib.gzipSync(j)).toString();
			if (z !== j) throw new Error('gzip');
			h.update(z);
		}
	}
	for (const [k, o] of m) h.update(k + o.v);
	return h.digest('hex');
}
if (isMainThread) {
	const n = +process.argv[2];
	console.log(job(n, 3));
	for (let k = 0; k < 3; k++) {
		const w = new Worker(__filename, { workerData: [n, k] });
		w.on('message', (s) => { done[k] = s; if (++got == 3) console.log(done.join('\n')); });
	}
	var done = [], got = 0;
} else {
	parentPort.postMessage(job(workerData[0] / 2, workerData[1]));
}
END
}

work() { under node ../input/work.js "$(short_or 200000 1000000)"; }
