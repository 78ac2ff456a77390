#!/usr/bin/env node
/** The installed command: looks at the version of Node, then leaves all to the starting program, which needs a new one. */
'use strict';

var complaint = require('./node-version.cjs').complaint;

if (complaint === undefined) {
  require('./starting-program.js');
} else {
  process.stderr.write('virtfs-proxy-helper: ' + complaint + ' [node-too-old]\n');
  // a wrong use, see ExitStatus
  process.exit(2);
}
