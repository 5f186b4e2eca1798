// What the monitor's tests run in the browser: WHEP viewers with nothing of the panel.
window.viewers = (() => {
	const wait = (ms) => new Promise((done) => setTimeout(done, ms));

	/** The longest that this page itself stood still: not the server's fault. */
	const watchPage = () => {
		let last = performance.now(), longest = 0;
		const timer = setInterval(() => {
			const now = performance.now();
			longest = Math.max(longest, now - last);
			last = now;
		}, 5);
		return { reset: () => (longest = 0), end: () => (clearInterval(timer), longest) };
	};

	const play = async (stream, sound = true) => {
		const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
		pc.addTransceiver('video', { direction: 'recvonly' });
		if (sound) pc.addTransceiver('audio', { direction: 'recvonly' });
		const video = document.createElement('video');
		video.autoplay = true;
		video.muted = !sound;
		video.style = 'width:160px;height:90px';
		document.body.append(video);
		const v = { stream, pc, video, media: null, joinMs: 0, shown: [], onframe: null };
		pc.ontrack = (e) => {
			v.media = e.streams[0];
			if (video.srcObject !== v.media) video.srcObject = v.media;
			video.play().catch(() => {});
		};
		const onFrame = (now, frame) => {
			v.joinMs ||= now - began;
			v.shown.push({ now, at: frame.expectedDisplayTime, rtp: frame.rtpTimestamp });
			v.onframe?.(now, frame);
			video.requestVideoFrameCallback(onFrame);
		};
		video.requestVideoFrameCallback(onFrame);
		const began = performance.now();
		await pc.setLocalDescription();
		const answer = await fetch('/whep/' + stream, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
		const text = await answer.text();
		if (answer.status !== 201) throw new Error(stream + ': ' + answer.status + ' ' + text);
		await pc.setRemoteDescription({ type: 'answer', sdp: text });
		v.end = async () => {
			pc.close();
			video.remove();
			await fetch(answer.headers.get('Location'), { method: 'DELETE' });
		};
		for (let n = 0; !v.joinMs && n < 1500; n++) await wait(5);
		return v;
	};

	const stats = async (v) => {
		const s = { Decoded: 0, Dropped: 0, PLI: 0, Samples: 0, Concealed: 0 };
		(await v.pc.getStats()).forEach((r) => {
			if (r.type !== 'inbound-rtp') return;
			if (r.kind === 'video') [s.Decoded, s.Dropped, s.PLI] = [r.framesDecoded, r.framesDropped, r.pliCount];
			else [s.Samples, s.Concealed] = [r.totalSamplesReceived, r.concealedSamples];
		});
		return s;
	};

	/** Which RTP time came in when, on this page's clock: the quickest of many answers. */
	const clock = async (stream) => {
		let best = null;
		for (let n = 0; n < 20; n++) {
			const sent = performance.now();
			const c = await (await fetch('/api/v1/clock/' + stream)).json();
			const took = performance.now() - sent;
			if (!best || took < best.took) best = { rtp: c.rtp, arrived: c.arrivedMs - c.nowMs + sent + took / 2, took };
			await wait(20);
		}
		return best;
	};
	const ages = (shown, c) => shown.map((f) => f.at - (c.arrived + ((f.rtp - c.rtp) | 0) / 90));

	/** Plays streams side by side and measures them once they run. */
	const watch = async (streams, seconds, sound = true) => {
		const page = watchPage();
		const all = await Promise.all(streams.map((s) => play(s, sound)));
		await wait(3000);
		const before = await Promise.all(all.map(stats));
		for (const v of all) v.shown = v.shown.slice(-1);
		page.reset();
		const from = performance.now();
		const clocks = await Promise.all(all.map((v) => clock(v.stream)));
		await wait(seconds * 1000 - (performance.now() - from));
		const after = await Promise.all(all.map(stats));
		const span = (performance.now() - from) / 1000, pageStill = page.end();
		const result = {};
		all.forEach((v, i) => {
			const diff = {};
			for (const k in after[i]) diff[k] = after[i][k] - before[i][k];
			// A picture that is shown twice is no news: only its own time counts.
			let still = 0, last = v.shown[0];
			for (const f of v.shown) if (f.rtp !== last.rtp) [still, last] = [Math.max(still, f.now - last.now), f];
			still = Math.max(still, performance.now() - last.now);
			result[v.stream] = { JoinMs: v.joinMs, Seconds: span, LatencyMs: ages(v.shown, clocks[i]), LongestStillMs: still, PageStillMs: pageStill, ...diff };
		});
		await Promise.all(all.map((v) => v.end()));
		return result;
	};

	const joins = async (stream, times) => {
		const took = [];
		for (let n = 0; n < times; n++) {
			const v = await play(stream);
			took.push(v.joinMs);
			await wait(150 + Math.random() * 300); // anywhere between two key frames
			await v.end();
		}
		return took;
	};

	const ear = `registerProcessor('ear', class extends AudioWorkletProcessor {
		process([input]) {
			const heard = input[0] ?? [];
			for (let i = 0; i < heard.length; i++) {
				if (Math.abs(heard[i]) < 0.05) continue;
				const at = currentTime + i / sampleRate;
				if (at - (this.last ?? -1) > 0.3) this.port.postMessage(at);
				this.last = at;
			}
			return true;
		}
	})`;

	/** How much later each beep is heard than its flash is seen, in ms. */
	const sync = async (streams, seconds) => {
		const audio = new AudioContext({ latencyHint: 'interactive' });
		await audio.resume();
		await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([ear], { type: 'text/javascript' })));
		const result = {};
		const all = await Promise.all(streams.map((s) => play(s)));
		await wait(6000); // browsers bring sound and picture together in steps
		for (const v of all) {
			const beeps = [], flashes = [];
			const node = new AudioWorkletNode(audio, 'ear');
			audio.createMediaStreamSource(v.media).connect(node);
			node.port.onmessage = ({ data: at }) => {
				const out = audio.getOutputTimestamp();
				beeps.push(out.performanceTime + (at - out.contextTime) * 1000);
			};
			const canvas = new OffscreenCanvas(4, 4).getContext('2d', { willReadFrequently: true });
			let lit = true;
			v.onframe = (now, frame) => {
				canvas.drawImage(v.video, 0, 0, v.video.videoWidth / 5, v.video.videoHeight / 5, 0, 0, 4, 4);
				const [r, g, b] = canvas.getImageData(1, 1, 1, 1).data, white = Math.min(r, g, b) > 150;
				if (white && !lit) flashes.push(Math.max(now, frame.expectedDisplayTime));
				lit = white;
			};
			v.heard = { beeps, flashes };
		}
		await wait(seconds * 1000);
		for (const v of all) {
			const { beeps, flashes } = v.heard, off = [];
			for (const f of flashes) {
				const near = beeps.map((b) => b - f).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
				if (Math.abs(near) < 450) off.push(near);
			}
			const own = {};
			(await v.pc.getStats()).forEach((r) => {
				if (r.type !== 'inbound-rtp') return;
				own[r.kind + 'Playout'] = r.estimatedPlayoutTimestamp;
				own[r.kind + 'BufferMs'] = (1000 * r.jitterBufferDelay) / r.jitterBufferEmittedCount;
			});
			result[v.stream] = { OffMs: off, Flashes: flashes.length, Beeps: beeps.length, OutputMs: audio.outputLatency * 1000, BaseMs: audio.baseLatency * 1000,
				BrowsersOwnMs: own.videoPlayout - own.audioPlayout, VideoBufferMs: own.videoBufferMs, AudioBufferMs: own.audioBufferMs };
		}
		await Promise.all(all.map((v) => v.end()));
		await audio.close();
		return result;
	};

	return { play, watch, joins, sync, clock, ages, wait };
})();
