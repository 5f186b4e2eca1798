import { mount } from 'svelte';
import './theme.css';
import Panel from './panel/Panel.svelte';
import { studio } from './studio.svelte';

// A login link carries its token behind the #, which browsers send to nobody. It
// leaves the address bar before anything else happens.
const token = /^#token=(.+)$/.exec(location.hash)?.[1];
if (token) {
	history.replaceState(null, '', location.pathname + location.search);
	void studio.login(decodeURIComponent(token)).then(() => studio.start());
} else {
	studio.start();
}

const target = document.getElementById('panel');
if (target) mount(Panel, { target });
