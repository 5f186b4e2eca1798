import { mount } from 'svelte';
import '../theme.css';
import { tokenFromLink } from '../api/login';
import { studio } from '../api/studio.svelte';
import Multiview from './Multiview.svelte';

void studio.start(tokenFromLink());

const target = document.getElementById('screen');
if (target) mount(Multiview, { target });
