import { mount } from 'svelte';
import '../theme.css';
import { tokenFromLink } from '../api/login';
import Panel from './layout/Panel.svelte';
import { studio } from '../api/studio.svelte';

void studio.start(tokenFromLink());

// The link was opened in a tab that shows the panel already.
addEventListener('hashchange', () => {
	const token = tokenFromLink();
	if (token) void studio.start(token);
});

const target = document.getElementById('panel');
if (target) mount(Panel, { target });
