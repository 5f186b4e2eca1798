// What the monitor's tests run in the browser: WHEP viewers without the panel, and
// measurements of the video and audio of any <video>.
window.viewers = (() => {
	const wait = (ms) => new Promise((done) => setTimeout(done, ms));

	/** The longest freeze of this page itself, which is not the server's fault. */
	const watchPage = () => {
		let last = performance.now(), longest = 0;
		const timer = setInterval(() => {
			const now = performance.now();
			longest = Math.max(longest, now - last);
			last = now;
		}, 5);
		return { reset: () => (longest = 0), end: () => (clearInterval(timer), longest) };
	};

	// A worker reads each frame as soon as it is decoded, whatever the page is busy with:
	// the number in its bottom left, 16 pixels a bit, and whether it flashes. Frames
	// without a number are told apart by a checksum.
	const frameReader = `onmessage = async ({ data: { frames, bits } }) => {
		const reader = frames.getReader(), seen = [];
		let plane = new Uint8Array(0), last = null, wasLit = true;
		onmessage = () => postMessage(seen.splice(0));
		for (;;) {
			const { value: f, done } = await reader.read();
			if (done) return;
			const at = performance.timeOrigin + performance.now(), height = f.visibleRect.height, size = f.allocationSize();
			if (plane.length < size) plane = new Uint8Array(size);
			const [{ offset, stride }] = await f.copyTo(plane);
			const id = f.metadata().rtpTimestamp ?? f.timestamp;
			f.close();
			let n = 0;
			for (let k = 0; k < bits; k++) if (plane[offset + (height - 8) * stride + 16 * k + 8] > 128) n |= 1 << k;
			if (!bits) for (let i = offset; i < offset + stride * height; i += 61) n = (n * 31 + plane[i]) | 0;
			const lit = plane[offset + 20 * stride + 20] > 170;
			if (n !== last || (lit && !wasLit)) seen.push({ at, n, id, flash: lit && !wasLit });
			[last, wasLit] = [n, lit];
		}
	}`;
	const worker = URL.createObjectURL(new Blob([frameReader], { type: 'text/javascript' }));

	/** All that was read in a track's frames since the last call. */
	const readFrames = (track, bits) => {
		const frames = new MediaStreamTrackProcessor({ track }).readable, w = new Worker(worker);
		w.postMessage({ frames, bits }, [frames]);
		return {
			seen: () => new Promise((done) => { w.onmessage = (e) => done(e.data); w.postMessage(0); }),
			end: () => w.terminate(),
		};
	};

	/** When frames were shown, by the compositor's clock: the page need not be on time. */
	const follow = (video, began = 0) => {
		const v = { shown: [], joinMs: 0 };
		const onFrame = (now, f) => {
			v.joinMs ||= now - began;
			v.shown.push({ at: f.expectedDisplayTime, presented: f.presentationTime, count: f.presentedFrames, rtp: f.rtpTimestamp, id: f.rtpTimestamp ?? Math.round(f.mediaTime * 1e6) });
			video.requestVideoFrameCallback(onFrame);
		};
		video.requestVideoFrameCallback(onFrame);
		return v;
	};

	/** An answer that makes its receiver use one protocol and another port. */
	const reroute = (answer, { proto, own, port }) => answer
		.split('\r\n')
		.filter((line) => !line.startsWith('a=candidate:') || line.split(' ')[2].toLowerCase() === proto)
		.map((line) => (line.startsWith('a=candidate:') ? line.replace(` ${own} `, ` ${port} `) : line))
		.join('\r\n');

	const play = async (stream, audio = true, by = null) => {
		const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
		pc.addTransceiver('video', { direction: 'recvonly' });
		if (audio) pc.addTransceiver('audio', { direction: 'recvonly' });
		const video = document.createElement('video');
		video.autoplay = true;
		video.muted = !audio;
		video.style = 'width:160px;height:90px';
		document.body.append(video);
		const v = Object.assign(follow(video, performance.now()), { stream, pc, video, media: null });
		pc.ontrack = (e) => {
			v.media = e.streams[0];
			if (video.srcObject !== v.media) video.srcObject = v.media;
			video.play().catch(() => {});
		};
		await pc.setLocalDescription();
		const answer = await fetch('/whep/' + stream, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
		const text = await answer.text();
		if (answer.status !== 201) throw new Error(stream + ': ' + answer.status + ' ' + text);
		await pc.setRemoteDescription({ type: 'answer', sdp: by ? reroute(text, by) : text });
		v.end = async () => {
			pc.close();
			video.remove();
			await fetch(answer.headers.get('Location'), { method: 'DELETE' });
		};
		for (let n = 0; !v.joinMs && n < 1500; n++) await wait(5);
		return v;
	};

	const stats = async (v) => {
		const s = { Decoded: 0, Dropped: 0, PLI: 0, Samples: 0, Concealed: 0, Energy: 0 };
		(await v.pc.getStats()).forEach((r) => {
			if (r.type !== 'inbound-rtp') return;
			if (r.kind === 'video') [s.Decoded, s.Dropped, s.PLI] = [r.framesDecoded, r.framesDropped, r.pliCount];
			else [s.Samples, s.Concealed, s.Energy] = [r.totalSamplesReceived, r.concealedSamples, r.totalAudioEnergy];
		});
		return s;
	};

	/** Which RTP time came in when, on this page's clock: the middle of many answers. */
	const clock = async (stream) => {
		const all = [];
		for (let n = 0; n < 20; n++) {
			const sent = performance.now();
			const c = await (await fetch('/api/v1/clock/' + stream)).json();
			const took = performance.now() - sent;
			all.push({ rtp: c.rtp, arrived: c.arrivedMs - c.nowMs + sent + took / 2, took });
			await wait(20);
		}
		const since = (c) => c.arrived - ((c.rtp - all[0].rtp) | 0) / 90;
		const quick = all.sort((a, b) => a.took - b.took).slice(0, 10).sort((a, b) => since(a) - since(b));
		return quick[quick.length >> 1];
	};
	const ages = (shown, c) => shown.map((f) => f.at - (c.arrived + ((f.rtp - c.rtp) | 0) / 90));

	/** How long the video froze on the screen. A callback that came too late to report each
	 * frame counts the missed ones: how long these were shown is not known here. */
	const freezes = (shown) => {
		let freeze = 0, missed = 0, last = shown[0];
		for (const f of shown.slice(1)) {
			const more = f.count - last.count;
			if (more > 1) missed += more - 1;
			if (more === 1 && f.id === last.id) continue; // the same frame, shown twice
			if (more === 1) freeze = Math.max(freeze, f.presented - last.presented);
			last = f;
		}
		return { LongestFreezeMs: freeze, Missed: missed };
	};

	/** What the worker read of a counter: how long it froze, how often it went back. */
	const counted = (seen, bits) => {
		let freeze = 0, back = 0;
		for (let i = 1; i < seen.length; i++) {
			freeze = Math.max(freeze, seen[i].at - seen[i - 1].at);
			if (bits && ((seen[i].n - seen[i - 1].n) & ((1 << bits) - 1)) >> (bits - 1)) back++;
		}
		return { Counted: seen.length, DecoderFreezeMs: freeze, Back: back };
	};

	const beepDetector = `registerProcessor('beep-detector', class extends AudioWorkletProcessor {
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

	/** Records when beeps are heard. */
	const listen = async () => {
		const audio = new AudioContext({ latencyHint: 'interactive' });
		await audio.resume();
		await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([beepDetector], { type: 'text/javascript' })));
		return {
			to: (media) => {
				const beeps = [], node = new AudioWorkletNode(audio, 'beep-detector');
				audio.createMediaStreamSource(media).connect(node);
				node.port.onmessage = ({ data: at }) => {
					const out = audio.getOutputTimestamp();
					beeps.push(out.performanceTime + (at - out.contextTime) * 1000);
				};
				return beeps;
			},
			end: () => audio.close(),
		};
	};

	/** How much later each beep was heard than its flash was on the screen, in ms. */
	const offsets = (seen, shown, beeps) => {
		const at = new Map(shown.map((f) => [f.id, f.at])), off = [];
		const flashes = seen.filter((p) => p.flash).map((p) => at.get(p.id)).filter((t) => t);
		for (const f of flashes) {
			const near = beeps.map((b) => b - f).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
			if (Math.abs(near) < 450) off.push(near);
		}
		return { OffMs: off, Flashes: flashes.length, Beeps: beeps.length };
	};

	/**
	 * Plays streams side by side and measures them once they run. Each is
	 * {stream, audio, bits}: bits of the counter in the frames, 0 for none. Without
	 * closely no pixels are read, which costs more than showing them.
	 */
	const watch = async (streams, seconds, settle = 5, closely = true) => {
		const page = watchPage(), hearing = streams.some((s) => s.audio) ? await listen() : null;
		const all = await Promise.all(streams.map((s) => play(s.stream, s.audio)));
		all.forEach((v, i) => {
			v.bits = streams[i].bits;
			v.frames = closely ? readFrames(v.video.srcObject.getVideoTracks()[0], v.bits) : { seen: async () => [], end: () => {} };
			v.beeps = streams[i].audio ? hearing.to(v.media) : [];
		});
		const clocks = await Promise.all(all.map((v) => clock(v.stream)));
		await wait(settle * 1000); // browsers bring audio and video in sync step by step
		const before = await Promise.all(all.map(stats));
		await Promise.all(all.map((v) => v.frames.seen()));
		for (const v of all) [v.shown, v.beeps.length] = [v.shown.slice(-1), 0];
		page.reset();
		const from = performance.now();
		await wait(seconds * 1000);
		const after = await Promise.all(all.map(stats)), span = (performance.now() - from) / 1000, pageFreeze = page.end();
		const result = await Promise.all(all.map(async (v, i) => {
			const diff = {}, seen = await v.frames.seen();
			for (const k in after[i]) diff[k] = after[i][k] - before[i][k];
			return { JoinMs: v.joinMs, Seconds: span, LatencyMs: ages(v.shown, clocks[i]), PageFreezeMs: pageFreeze, ...diff,
				...freezes(v.shown), ...counted(seen, v.bits), ...offsets(seen, v.shown, v.beeps) };
		}));
		await Promise.all(all.map((v) => (v.frames.end(), v.end())));
		await hearing?.end();
		return result;
	};

	/** The offset of audio and video of any <video>. */
	const sync = async (video, seconds) => {
		const hearing = await listen(), v = follow(video), e = readFrames(video.srcObject.getVideoTracks()[0].clone(), 0);
		const beeps = hearing.to(video.srcObject);
		await wait(seconds * 1000);
		const result = offsets(await e.seen(), v.shown, beeps);
		e.end();
		await hearing.end();
		return result;
	};

	const joins = async (stream, times) => {
		const took = [];
		for (let n = 0; n < times; n++) {
			const v = await play(stream);
			took.push(v.joinMs);
			await wait(150 + Math.random() * 300); // anywhere between two keyframes
			await v.end();
		}
		return took;
	};

	/** How long after an instant of this page's clock a frame is shown again, -1 when none
	 * is within 15 s, and how many are in a second that begins a second later. */
	const heals = async (all, since) => {
		const first = (v) => v.shown.find((f) => f.presented > since);
		while (!all.every(first) && performance.now() - since < 15000) await wait(50);
		await wait(1000);
		const from = performance.now();
		await wait(1000);
		return Promise.all(all.map(async (v) => ({
			HealedMs: first(v) ? first(v).presented - since : -1,
			Rate: v.shown.filter((f) => f.presented > from && f.presented <= from + 1000).length,
			Proto: [...(await v.pc.getStats()).values()].filter((r) => r.type === 'remote-candidate' && r.protocol).map((r) => r.protocol).join(),
		})));
	};

	return { play, watch, joins, sync, heals, wait };
})();
