// Keeps a phone's screen on while its page is looked at.

interface Lock {
	release(): Promise<void>;
}

/** Holds the screen awake until the returned function is called; told says whether it
 * does. A browser lets go of it whenever the page is hidden. */
export function keepAwake(told: (awake: boolean) => void): () => void {
	let lock: Lock | null = null;
	let ended = false;
	const ask = async () => {
		if (document.hidden || ended) return;
		try {
			const got: Lock = await navigator.wakeLock.request('screen'); // only on secure pages
			if (ended) return void got.release();
			lock = got;
			told(true);
		} catch {
			told(false);
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
