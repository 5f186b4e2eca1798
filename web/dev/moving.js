// Replaces WebRTC in a page without a server: every stream is an animated drawing.
(() => {
	const whose = new Map();
	const colours = {
		cam1: '#a03030',
		cam2: '#2f7d4a',
		cam3: '#2d5aa8',
		cam4: '#a07a20',
		cam5: '#6a3fa0',
		program: '#a03030',
	};
	const real = window.fetch.bind(window);
	window.fetch = async (path, init) => {
		const stream = /^\/whep\/(\w+)$/.exec(String(path))?.[1];
		if (!stream) return real(path, init);
		whose.set(init.body, stream);
		return new Response('answer', { status: 201, headers: { Location: '' } });
	};
	function draw(stream) {
		const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
		const c = canvas.getContext('2d');
		let n = 0;
		setInterval(() => {
			c.fillStyle = colours[stream] ?? '#777';
			c.fillRect(0, 0, 640, 360);
			c.fillStyle = 'rgb(255 255 255 / 25%)';
			c.fillRect((n * 4) % 640, 0, 60, 360);
			c.fillStyle = '#fff';
			c.font = '700 90px sans-serif';
			c.fillText(`${stream} ${n++}`, 40, 210);
		}, 33);
		return canvas.captureStream(30);
	}
	window.RTCPeerConnection = class {
		connectionState = 'new';
		addTransceiver() {}
		getReceivers() {
			return [];
		}
		async createOffer() {
			return { type: 'offer', sdp: String(Math.random()) };
		}
		async setLocalDescription(d) {
			this.localDescription = d;
		}
		async setRemoteDescription() {
			this.connectionState = 'connected';
			this.ontrack({ track: draw(whose.get(this.localDescription.sdp)).getVideoTracks()[0] });
			this.onconnectionstatechange();
		}
		close() {}
	};
})();
