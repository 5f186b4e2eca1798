import { mount } from 'svelte';
import '../theme.css';
import { screenBrowser } from '../api/login';
import { Studio } from '../api/studio.svelte';
import Tally from './Tally.svelte';

// A light that lags is worse than none: a quiet link is given up sooner than a panel's.
const studio = new Studio(screenBrowser(), { quiet: 1000, doubt: 3000, dead: 3000 });
void studio.start();

const target = document.getElementById('screen');
if (target) mount(Tally, { target, props: { studio } });
