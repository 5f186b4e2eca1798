import { mount } from 'svelte';
import '../theme.css';
import Camera from './Camera.svelte';
import { linkFrom } from './phone.svelte';

const target = document.getElementById('camera');
if (target) mount(Camera, { target, props: { link: linkFrom(location.hash) } });

// Another camera's link was opened in this tab.
addEventListener('hashchange', () => location.reload());
