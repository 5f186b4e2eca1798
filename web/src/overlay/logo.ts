// The image of a logo. It is fetched, because an <img> can't send the page's token.

type Fetch = (path: string) => Promise<Response>;

/** Attaches to the <img> of a logo; lost is called when it can't be loaded. */
export const logoImage = (fetch: Fetch, logo: string, lost: (logo: string) => void) => (img: HTMLImageElement) => {
	let url = '';
	let detached = false;
	const show = async () => {
		const answer = await fetch(`/api/v1/logos/${encodeURIComponent(logo)}.png`);
		if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
		const file = await answer.blob();
		if (!detached) img.src = url = URL.createObjectURL(file);
	};
	img.onerror = () => lost(logo);
	show().catch(() => detached || lost(logo));
	return () => {
		detached = true;
		if (url) URL.revokeObjectURL(url);
	};
};
