import { mount } from 'svelte';
import '../theme.css';
import { tokenFromLink } from '../link';
import { studio } from '../studio.svelte';
import Multiview from './Multiview.svelte';

void studio.start(tokenFromLink());

const target = document.getElementById('screen');
if (target) mount(Multiview, { target });
