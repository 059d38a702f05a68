import { writeTemplate } from '../control-plane/store/pglite-template.js';

// Run when the package is installed, so that the first `npm start` need not make a database from nothing.
await writeTemplate();
