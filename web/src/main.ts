import { mount } from 'svelte';
import './theme.css';
import Panel from './panel/Panel.svelte';
import { studio } from './studio.svelte';

// A login link carries its token behind the #, which browsers send to nobody. It
// leaves the address bar before anything else happens.
function tokenFromLink(): string {
	const token = /^#token=([\w.~%-]+)$/.exec(location.hash)?.[1] ?? '';
	if (token) history.replaceState(null, '', location.pathname + location.search);
	try {
		return decodeURIComponent(token);
	} catch {
		return token;
	}
}

void studio.start(tokenFromLink());

// The link was opened in a tab that shows the panel already.
addEventListener('hashchange', () => {
	const token = tokenFromLink();
	if (token) void studio.start(token);
});

const target = document.getElementById('panel');
if (target) mount(Panel, { target });
