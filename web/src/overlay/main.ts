import { mount } from 'svelte';
import { screenBrowser } from '../api/login';
import { Studio } from '../api/studio.svelte';
import Overlay from './Overlay.svelte';
import './overlay.css';

const browser = screenBrowser();
const studio = new Studio(browser);
void studio.start();

const target = document.getElementById('screen');
if (target) mount(Overlay, { target, props: { studio, fetch: browser.fetch } });
