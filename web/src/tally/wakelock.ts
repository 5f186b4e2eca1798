// Keeps a phone's screen on while the page is visible.

interface Lock {
	release(): Promise<void>;
}

/** Keeps the screen on until the returned function is called; report is called with whether
 * it works. A browser releases the lock whenever the page is hidden. */
export function keepAwake(report: (awake: boolean) => void): () => void {
	let lock: Lock | null = null;
	let ended = false;
	const ask = async () => {
		if (document.hidden || ended) return;
		try {
			const got: Lock = await navigator.wakeLock.request('screen'); // only on secure pages
			if (ended) return void got.release();
			lock = got;
			report(true);
		} catch {
			report(false);
		}
	};
	void ask();
	document.addEventListener('visibilitychange', ask);
	return () => {
		ended = true;
		document.removeEventListener('visibilitychange', ask);
		void lock?.release();
	};
}
