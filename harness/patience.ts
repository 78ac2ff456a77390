export { patience } from './guest/patience.js';
