// A logo's picture. It is fetched, because an address within the page can't show the key
// that the page has in its own.

type Fetch = (path: string) => Promise<Response>;

/** Attaches to the image that shall show a logo; lost is called when it can't be had. */
export const picture = (fetch: Fetch, logo: string, lost: (logo: string) => void) => (img: HTMLImageElement) => {
	let url = '';
	let gone = false;
	const show = async () => {
		const answer = await fetch(`/api/v1/logos/${encodeURIComponent(logo)}.png`);
		if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
		const file = await answer.blob();
		if (!gone) img.src = url = URL.createObjectURL(file);
	};
	img.onerror = () => lost(logo);
	show().catch(() => gone || lost(logo));
	return () => {
		gone = true;
		if (url) URL.revokeObjectURL(url);
	};
};
