import { mount } from 'svelte';
import '../theme.css';
import { screenBrowser } from '../api/login';
import { Studio } from '../api/studio.svelte';
import Tally from './Tally.svelte';

// A late tally light is worse than none: a silent connection is given up sooner than a panel's.
const studio = new Studio(screenBrowser(), { ping: 1000, stale: 3000, lost: 3000 });
void studio.start();

const target = document.getElementById('screen');
if (target) mount(Tally, { target, props: { studio } });
